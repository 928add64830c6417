/// Where a task runs that a task starts beside itself; `nil` is the default executor. A simulated process sets its own:
/// what it starts would leave it otherwise.
public enum OwnExecutor {
    @TaskLocal public static var current: (any TaskExecutor)?
}

/// Runs `body` in a task that this one's cancellation does not reach, and waits for it: for work that has to come
/// to its end (answering callers, settling, handing back) after a stop was asked for.
public func withoutCancellation(_ body: @escaping @Sendable () async -> Void) async {
    // The one unstructured task: awaited at once, so it can't outlive its caller.
    await Task(executorPreference: OwnExecutor.current) { await body() }.value
}

/// Runs `body` in a task that this one's cancellation does not reach, and waits for it: for work that has to come
/// to its end (answering callers, settling) after a stop was asked for.
public func withoutCancellation(_ body: @escaping @Sendable () async -> Void) async {
    // The one unstructured task: awaited at once, so it can't outlive its caller.
    await Task { await body() }.value
}

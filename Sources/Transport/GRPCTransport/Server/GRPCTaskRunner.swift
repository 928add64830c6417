/// Starts the asynchronous part of calls.
///
/// Calls begin on threads of the C core, which belong to no task, and each one must be cancellable
/// alone. So this is the place where unstructured tasks are created; the server counts them and
/// its shutdown waits for all of them.
public protocol GRPCTaskRunner: Sendable {
    /// Starts `operation` without waiting for it.
    ///
    /// - Returns: what cancels the operation; called at most once, from any thread.
    func start(
        _ operation: @escaping @concurrent @Sendable () async -> Void
    ) -> @Sendable () -> Void
}

/// Runs each call in a task on the global executor.
public struct UnstructuredTaskRunner: GRPCTaskRunner {
    /// Creates the runner.
    public init() {}

    public func start(
        _ operation: @escaping @concurrent @Sendable () async -> Void
    ) -> @Sendable () -> Void {
        let task = Task(operation: operation)
        return { task.cancel() }
    }
}

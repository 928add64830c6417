public import PipelineCore

/// A database server of a simulated world, as the worker of a store that runs its calls inline.
///
/// `SQLiteDatabase(path: ":memory:") { SimulatedStore(…) }` becomes a server that simulated processes share: each
/// transaction is one call, which may take its time, be refused, or be done without its answer arriving, and which
/// a killed process has asked for none the less. The code around the transactions runs in the process, and is
/// killed and paused with it, between two transactions too.
public struct SimulatedStore: BlockingWorker {
    private let resource: SharedResource
    private let done: @Sendable (_ succeeded: Bool) -> Void

    /// - Parameter done: called after each call has been done, before anything else happens; the task-local
    ///   values are the caller's.
    public init(
        weather: Weather = Weather(), done: @escaping @Sendable (_ succeeded: Bool) -> Void = { _ in }
    ) {
        self.done = done
        resource = SharedResource(
            weather: weather,
            error: .retryable("store-unavailable", "the simulated store does not answer"))
    }

    public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        guard SimulatedProcess.current != nil else { return try body() }
        return try await resource.call { [done] in
            do {
                let value = try body()
                done(true)
                return value
            } catch {
                done(false)
                throw error
            }
        }
    }
}

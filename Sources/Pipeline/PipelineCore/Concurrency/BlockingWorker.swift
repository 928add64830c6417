/// Runs blocking calls, one after the other, away from the cooperative pool.
///
/// A connection that is only touched inside `run` of one worker needs no lock of its own.
public protocol BlockingWorker: Sendable {
    /// Runs `body` after all earlier ones have returned. Once begun it is not interrupted by cancellation.
    func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T
}

/// Runs calls at once, where they are made: for stores that never wait (SQLite in memory, a simulated world).
public struct InlineWorker: BlockingWorker {
    public init() {}
    public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try body()
    }
}

internal import PipelineCore

/// A place for one connection, and its thread.
final class PostgresSlot: @unchecked Sendable {
    // `connection` is touched by closures that run on `worker` only, one after the other.
    let worker = WorkerThread()
    let signal = CancellationSignal()
    private let settings: ConnectionSettings
    private let grace: Duration
    private var connection: PostgresConnection?

    init(_ settings: ConnectionSettings, grace: Duration) {
        self.settings = settings
        self.grace = grace
    }

    /// Runs `body` with a living connection, on the worker's thread.
    func lend<T>(_ body: (PostgresConnection) throws -> T) throws -> T {
        if connection?.isAlive() == false { connection = nil }
        let lent = try connection ?? PostgresConnection(settings, signal: signal, grace: grace)
        connection = lent
        defer { if !lent.isClean { connection = nil } }
        return try body(lent)
    }

    /// On the worker's thread.
    func disconnect() { connection = nil }
}

internal import PipelineCore
internal import Synchronization

/// A connection and the worker it is used on, opened at the first use.
final class SQLiteLane: Sendable {
    private let worker: any BlockingWorker
    private let open: @Sendable () throws -> sending SQLiteConnection
    /// Under a lock as well as on a worker: an ``InlineWorker`` runs on whatever thread calls.
    private let connection = Mutex<SQLiteConnection?>(nil)

    init(
        worker: any BlockingWorker,
        open: @escaping @Sendable () throws -> sending SQLiteConnection
    ) {
        self.worker = worker
        self.open = open
    }

    func run<Result: Sendable>(
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Result
    ) async throws -> Result {
        try await worker.run { [self] in
            try connection.withLock { connection in
                if let connection { return try body(connection) }
                let opened = try open()
                connection = opened
                return try body(connection!)
            }
        }
    }

    /// Closes the connection; the next use opens it again.
    func close() async {
        try? await worker.run { [self] in
            connection.withLock { $0 = nil }
        }
    }
}

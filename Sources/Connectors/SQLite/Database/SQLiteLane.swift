internal import PipelineCore
internal import Synchronization

/// A connection and the worker it is used on, opened at the first use.
final class SQLiteLane: Sendable {
    private let worker: any BlockingWorker
    private let file: DatabaseFile
    private let open: @Sendable () throws -> sending SQLiteConnection
    /// Under a lock as well as on a worker: an ``InlineWorker`` runs on whatever thread calls.
    private let connection = Mutex<SQLiteConnection?>(nil)
    /// Which file the connection has open.
    private let identity = Mutex<FileIdentity?>(nil)

    init(
        worker: any BlockingWorker, file: DatabaseFile,
        open: @escaping @Sendable () throws -> sending SQLiteConnection
    ) {
        self.worker = worker
        self.file = file
        self.open = open
    }

    func run<Result: Sendable>(
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Result
    ) async throws -> Result {
        try await worker.run { [self] in
            try connection.withLock { connection in
                if let connection {
                    try checkFile()
                    return try body(connection)
                }
                let opened = try open()
                connection = opened
                identity.withLock { $0 = FileIdentity(path: file.path) }
                return try body(connection!)
            }
        }
    }

    /// SQLite goes on in a file that has been deleted, or moved away, as if nothing had happened.
    /// - Throws: `fatal` `store-replaced`.
    private func checkFile() throws {
        if file.isInMemory { return }
        let now = FileIdentity(path: file.path)
        if now == identity.withLock({ $0 }) { return }
        throw PipelineError.fatal(
            "store-replaced",
            "\(file.path) was \(now == nil ? "deleted" : "replaced by another file") while it was in use: "
                + "what would be written now would be lost with it; bring it back, or start anew with what is there"
        )
    }

    /// Closes the connection; the next use opens it again.
    func close() async {
        try? await worker.run { [self] in
            connection.withLock { $0 = nil }
        }
    }
}

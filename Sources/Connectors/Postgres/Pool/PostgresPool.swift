public import PipelineCore
internal import Synchronization

/// A bounded set of connections to one PostgreSQL database, each with its own thread, made when
/// first needed and made again when lost.
public final class PostgresPool: Resource {
    private let settings: ConnectionSettings
    private let options: Options
    private typealias State = PoolState<PostgresSlot, Resumption<PostgresSlot?>>
    private let state: Mutex<(pool: State, nextID: UInt64)>

    public struct Options: Sendable {
        /// Most connections.
        public var connections: Int
        /// Server settings of every session (`jit: off`); the address's own `options` win.
        public var settings: [String: String]
        /// How long a statement may go on after its task has been cancelled, before it is
        /// cancelled on the server.
        public var cancellationGrace: Duration

        public init(
            connections: Int = 4, settings: [String: String] = [:],
            cancellationGrace: Duration = .milliseconds(500)
        ) {
            self.connections = connections
            self.settings = settings
            self.cancellationGrace = cancellationGrace
        }
    }

    /// Where the server is, without credentials.
    public var server: String { settings.server }

    /// Connects to nothing yet.
    ///
    /// - Parameter address: `postgres://user:password@host:port/database?…`
    ///   ([syntax](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING)).
    ///   Of the properties `connections` and `statement_timeout` are the pool's, the others
    ///   libpq's (`sslmode`, `passfile`, …).
    /// - Throws: `fatal` `invalid-address`.
    public init(_ address: ResourceAddress, options: Options = Options()) throws {
        var address = address
        var options = options
        if let text = address.properties.removeValue(forKey: "connections") {
            guard let count = Int(text), (1...100).contains(count) else {
                throw PipelineError.fatal(
                    "invalid-address", "`connections` must be a number from 1 to 100")
            }
            options.connections = count
        }
        if let timeout = address.properties.removeValue(forKey: "statement_timeout") {
            options.settings["statement_timeout"] = timeout
        }
        self.options = options
        settings = try ConnectionSettings(address, settings: options.settings)
        state = Mutex((State(limit: options.connections), 0))
    }

    /// Lends a connection to `body`, which runs on the connection's thread: blocking is what it
    /// is there for.
    ///
    /// A task that is cancelled while it waits for a connection leaves the queue. Once begun,
    /// `body` goes on for the grace; then its statement is cancelled on the server.
    ///
    /// - Throws: what `body` throws; `CancellationError`; ``PipelineCore/PipelineError`` when
    ///   there is no connection to be had.
    @discardableResult
    public func withConnection<T: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection) throws -> T
    ) async throws -> T {
        let slot = try await acquire()
        do {
            let value = try await lend(slot, body)
            await release(slot)
            return value
        } catch {
            await release(slot)
            throw error
        }
    }

    /// Lends a connection in a transaction: committed when `body` returns, rolled back when it
    /// throws.
    @discardableResult
    public func withTransaction<T: Sendable>(
        _ begin: PostgresScript = "BEGIN",
        _ body: @escaping @Sendable (PostgresConnection) throws -> T
    ) async throws -> T {
        try await withConnection { connection in
            try connection.transaction(begin) { try body(connection) }
        }
    }

    /// Connects and asks whether the server can be written to.
    public func probe() async throws {
        try await withConnection { connection in
            let answer = try connection.query(
                """
                select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean,
                  current_setting('server_version_num')::int
                """)
            if answer.bool(0, 0) {
                throw PostgresError(sqlState: "25006", message: "the server is read-only")
                    .pipelineError(server: connection.server)
            }
            if answer.int(0, 1) < 130_000 {
                throw PipelineError.fatal(
                    "store-version", "PostgreSQL at \(connection.server) is older than 13")
            }
        }
    }

    /// Refuses new loans, waits for those that are out, and closes the connections.
    public func close() async {
        let (idle, refused) = state.withLock { $0.pool.close() }
        for waiter in refused { waiter.resume(returning: nil) }
        for slot in idle { await disconnect(slot) }
        // Fails never: nothing resumes a closer with an error.
        _ = try? await suspended { (closer: Resumption<PostgresSlot?>) in
            if state.withLock({ $0.pool.awaitReturns(closer) }) { closer.resume(returning: nil) }
        }
    }
}

extension PostgresPool {
    private func acquire() async throws -> PostgresSlot {
        try Task.checkCancellation()
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let slot = try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<PostgresSlot?>) in
                let acquisition: State.Acquisition? = state.withLock { state in
                    // After this check, under the lock, the handler below finds whom to wake.
                    Task.isCancelled ? nil : state.pool.acquire(id: id, waiter: resumption)
                }
                switch acquisition {
                case .lend(let slot): resumption.resume(returning: slot)
                case .create:
                    resumption.resume(
                        returning: PostgresSlot(settings, grace: options.cancellationGrace))
                case .wait: break
                case .refuse: resumption.resume(returning: nil)
                case nil: resumption.resume(throwing: CancellationError())
                }
            }
        } onCancel: {
            state.withLock { $0.pool.abandon(id: id) }?.resume(throwing: CancellationError())
        }
        guard let slot else {
            throw PipelineError.retryable("store-closed", "the connections have been closed")
        }
        return slot
    }

    private func lend<T: Sendable>(
        _ slot: PostgresSlot, _ body: @escaping @Sendable (PostgresConnection) throws -> T
    ) async throws -> T {
        let loan = try slot.signal.begin()
        return try await withTaskCancellationHandler {
            try await slot.worker.run { try slot.lend(body) }
        } onCancel: {
            slot.signal.request(loan: loan)
        }
    }

    private func release(_ slot: PostgresSlot) async {
        switch state.withLock({ $0.pool.release(slot) }) {
        case .hand(let slot, let waiter): waiter.resume(returning: slot)
        case .keep: break
        case .close(let slot, let closers):
            await disconnect(slot)
            for closer in closers { closer.resume(returning: nil) }
        }
    }

    private func disconnect(_ slot: PostgresSlot) async {
        // Throws never: the body does not.
        _ = try? await slot.worker.run { slot.disconnect() }
    }
}

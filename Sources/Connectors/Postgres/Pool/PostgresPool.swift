internal import Concurrency
public import Metrics
public import PipelineCore
internal import Synchronization

/// Something to be told about the connections.
public struct PostgresLogLine: Sendable {
    public enum Severity: Sendable { case notice, warning, error }
    public var severity: Severity
    public var message: String
}

public typealias PostgresLog = @Sendable (PostgresLogLine) -> Void

/// The connections of this process to one PostgreSQL database: bounded, each with its own thread,
/// made when first needed, made again when lost, and given back when nobody needs them.
///
/// A server that turns read-only or shuts down is given up with all its sessions, and the next
/// connection tries the named hosts anew. Where the server gives fewer connections than asked for,
/// the pool lives with those.
public final class PostgresPool: Resource {
    let origin: PostgresOrigin
    private let options: Options
    private let directory: PostgresPlaces
    /// Shared with other pools of the address.
    private let places: SharedPlaces
    private let isClosed = Atomic(false)

    /// What a connection is wanted for, the most urgent first. All but `work` leave the last
    /// connection to it.
    public enum Purpose: Int, Sendable, Comparable {
        /// What keeps promises, and is short: accepting, sealing, claiming, committing.
        case work
        /// What may take seconds: generation's reads, upkeep.
        case bulk
        /// What somebody looks at.
        case reading

        public static func < (one: Purpose, other: Purpose) -> Bool {
            one.rawValue < other.rawValue
        }
    }

    public struct Options: Sendable {
        /// Most connections.
        public var connections: Int
        /// Server settings of every session (`jit: off`); the address's own `options` win.
        public var settings: [String: String]
        /// How long a statement may go on after its task has been cancelled, before it is
        /// cancelled on the server.
        public var cancellationGrace: Duration
        /// A connection that nobody has used for so long is given back to the server.
        public var idleLimit: Duration
        /// Takes what has to be said about the connections.
        public var log: PostgresLog?
        /// Takes the times of statements and the number of connections.
        public var metrics: MetricRegistry

        public init(
            connections: Int = 6, settings: [String: String] = [:],
            cancellationGrace: Duration = .milliseconds(500), idleLimit: Duration = .seconds(30),
            log: PostgresLog? = nil, metrics: MetricRegistry = MetricRegistry()
        ) {
            self.connections = connections
            self.settings = settings
            self.cancellationGrace = cancellationGrace
            self.idleLimit = idleLimit
            self.log = log
            self.metrics = metrics
        }
    }

    /// Where the server is, without credentials.
    public var server: String { origin.settings.server }

    public var backend: Backend? { .postgres(server) }

    /// Connects to nothing yet.
    ///
    /// - Parameters:
    ///   - address: `postgres://user:password@host:port/database?…`
    ///   ([syntax](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING)).
    ///   Several hosts are tried in turn, for one that takes writes unless `target_session_attrs`
    ///   says otherwise. Of the properties `connections` (6; everything that this process does with
    ///   the address counts) and `statement_timeout` are the pool's, the others libpq's (`sslmode`,
    ///   `passfile`, …).
    ///   - directory: knows the other pools of the process, with which those of one address share
    ///     their connections.
    /// - Throws: `fatal` `invalid-address`.
    public init(
        _ address: ResourceAddress, options: Options = Options(),
        among directory: PostgresPlaces = PostgresPlaces()
    ) throws {
        var address = address
        var options = options
        let named = address.properties.removeValue(forKey: "connections")
        if let text = named {
            guard let count = Int(text), (2...100).contains(count) else {
                throw PipelineError.fatal(
                    .invalidAddress, "\"connections\" must be a number from 2 to 100")
            }
            options.connections = count
        }
        if let timeout = address.properties.removeValue(forKey: "statement_timeout") {
            options.settings["statement_timeout"] = timeout
        }
        self.options = options
        origin = PostgresOrigin(
            try ConnectionSettings(address, settings: options.settings), log: options.log,
            metrics: options.metrics)
        self.directory = directory
        places = directory.join(
            origin.settings.database, connections: options.connections, isNamed: named != nil)
        PostgresMetrics.read(places, options.metrics, server: origin.settings.server)
    }

    /// The certificates and keys that libpq reads for an address.
    @Sendable public static func files(of address: ResourceAddress) -> [ResourceFile] {
        ConnectionSettings.files(of: address)
    }

    /// Lends a connection to `body`, which runs on the connection's thread: blocking is what it
    /// is there for.
    ///
    /// A task that is cancelled while it waits for a connection leaves the queue. Once begun,
    /// `body` goes on for the grace; then its statement is cancelled on the server.
    ///
    /// - Parameters:
    ///   - purpose: who waits for whom where connections are short.
    ///   - settings: server settings that hold for each transaction of the loan.
    /// - Throws: what `body` throws; `CancellationError`; ``PipelineCore/PipelineError`` when
    ///   there is no connection to be had.
    @discardableResult
    public func withConnection<T: Sendable>(
        for purpose: Purpose = .work, settings: [String: String] = [:],
        _ body: @escaping @Sendable (PostgresConnection) throws -> T
    ) async throws -> T {
        let script = PostgresScript.settings(settings, local: true)
        while true {
            let slot = try await acquire(purpose)
            do {
                let value = try await lend(slot, for: purpose, script, body)
                await release(slot, from: purpose)
                return value
            } catch let refusal as NotConnected {
                guard refusal.error.code == .storeBusy else {
                    await release(slot, from: purpose)
                    throw blaming(refusal.error)
                }
                // Others have connections: this process lives with those.
                guard makeDo(purpose) else { throw refusal.error }
            } catch {
                await release(slot, from: purpose)
                throw (error as? PipelineError).map(blaming) ?? error
            }
        }
    }

    /// Of several hosts none is missed: what is away is the database.
    private func blaming(_ error: PipelineError) -> PipelineError {
        error.backend == nil ? error : error.of(backend)
    }

    /// Lends a connection in a transaction: committed when `body` returns, rolled back when it
    /// throws.
    @discardableResult
    public func withTransaction<T: Sendable>(
        _ begin: PostgresScript = "BEGIN", for purpose: Purpose = .work,
        _ body: @escaping @Sendable (PostgresConnection) throws -> T
    ) async throws -> T {
        try await withConnection(for: purpose) { connection in
            try connection.transaction(begin) { try body(connection) }
        }
    }

    /// Refuses new loans, waits for those that are out, and closes the connections.
    ///
    /// Where other pools share them, they go on, and the last to be closed closes all.
    public func close() async {
        if isClosed.exchange(true, ordering: .acquiringAndReleasing) { return }
        guard directory.leave(origin.settings.database) else { return }
        let (idle, refused) = places.state.withLock { $0.pool.close() }
        for waiter in refused { waiter.resume(returning: nil) }
        for slot in idle { await disconnect(slot) }
        // Fails never: nothing resumes a closer with an error.
        _ = try? await suspended { (closer: Resumption<PostgresSlot?>) in
            if places.state.withLock({ $0.pool.awaitReturns(closer) }) {
                closer.resume(returning: nil)
            }
        }
    }
}

extension PostgresPool {
    private func acquire(_ purpose: Purpose) async throws -> PostgresSlot {
        try Task.checkCancellation()
        if isClosed.load(ordering: .acquiring) { throw Self.closed }
        let id = places.state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let slot = try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<PostgresSlot?>) in
                let acquisition: SharedPlaces.State.Acquisition? = places.state.withLock { state in
                    // After this check, under the lock, the handler below finds whom to wake.
                    if Task.isCancelled { return nil }
                    return state.pool.acquire(
                        purpose, id: id, now: MonotonicTime.nanosecondsNow,
                        suits: { $0.belongs(to: origin) }, waiter: resumption)
                }
                switch acquisition {
                case .lend(let slot): resumption.resume(returning: slot)
                case .create:
                    resumption.resume(
                        returning: PostgresSlot(
                            grace: options.cancellationGrace, idleLimit: options.idleLimit))
                case .wait: break
                case .refuse: resumption.resume(returning: nil)
                case nil: resumption.resume(throwing: CancellationError())
                }
            }
        } onCancel: {
            places.state.withLock { $0.pool.abandon(id: id) }?.resume(throwing: CancellationError())
        }
        guard let slot else { throw Self.closed }
        return slot
    }

    private static let closed = PipelineError.retryable(
        .storeClosed, "the connections have been closed")

    private func lend<T: Sendable>(
        _ slot: PostgresSlot, for purpose: Purpose, _ settings: PostgresScript,
        _ body: @escaping @Sendable (PostgresConnection) throws -> T
    ) async throws -> T {
        let loan = try slot.signal.begin()
        let era = origin.era
        defer { if era != origin.era { dropOutdated() } }
        return try await withTaskCancellationHandler {
            try await slot.worker.run { [origin] in
                try slot.lend(origin, for: purpose, settings, body)
            }
        } onCancel: {
            slot.signal.request(loan: loan)
        }
    }

    /// Idle connections to a server that was given up are closed, and not only when they are lent.
    private func dropOutdated() {
        for slot in places.state.withLock({ $0.pool.unused }) {
            // One that is idle has its thread.
            try? slot.worker.enqueue { slot.disconnectIfOutdated() }
        }
    }

    private func release(_ slot: PostgresSlot, from purpose: Purpose) async {
        let (release, limit, most) = places.state.withLock { state in
            let release = state.pool.release(slot, from: purpose)
            let limit = state.pool.newLimit(now: MonotonicTime.nanosecondsNow)
            return (release, limit, state.pool.most)
        }
        if let limit {
            origin.note(
                .warning,
                "PostgreSQL at \(server) gives this process \(limit) of the"
                    + " \(most) connections it asks for: it lives with these;"
                    + " lower `connections`, or let the server or the role have more")
        }
        switch release {
        case .hand(let slot, let waiter): waiter.resume(returning: slot)
        case .keep: break
        case .close(let slot, let closers):
            await disconnect(slot)
            for closer in closers { closer.resume(returning: nil) }
        }
    }

    /// Answers whether there are other connections to wait for.
    private func makeDo(_ purpose: Purpose) -> Bool {
        let shortage = places.state.withLock {
            $0.pool.refused(from: purpose, now: MonotonicTime.nanosecondsNow)
        }
        switch shortage {
        case .share: return true
        case .none(let failing, let closers):
            let error = PipelineError.retryable(
                .storeBusy, "PostgreSQL at \(server) gives this process no connection")
            for waiter in failing { waiter.resume(throwing: error) }
            for closer in closers { closer.resume(returning: nil) }
            return false
        }
    }

    private func disconnect(_ slot: PostgresSlot) async {
        // Throws never: the body does not.
        _ = try? await slot.worker.run { slot.disconnect() }
    }
}

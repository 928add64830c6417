internal import Calendar
public import ConversionReports
public import Ledger
internal import Logging
public import Metrics
public import PipelineCore
internal import Postgres
internal import PostgresLedger
internal import SQLite
internal import SQLiteLedger
internal import Synchronization

/// A store as Penstock uses it: ledgers, events and reports in one place.
public protocol StandardStore: LedgerProvider, RecordStore, StateAdministration {
    var reports: any ReportStore { get }
    /// Creates or updates all tables. Safe to run again, and by two processes at once.
    func migrate() async throws
    /// What the ledgers hold, by stage. Only reads; nothing where no ledger is yet.
    func stages() async throws -> [StageState]
    /// Whether `run` migrates by itself: where nobody else could be using the store.
    var migratesItself: Bool { get }
    /// Takes what the store tells of itself.
    var metrics: MetricRegistry { get }
    /// Whether opening the store would make none: a server's is there, or can't be reached.
    var isThere: Bool { get }
    /// Bytes that it takes on this machine's disk, and bytes that are free there; `nil` where it is
    /// elsewhere. Cheap.
    var disk: (bytes: Int, freeBytes: Int)? { get }
}

extension StandardStore {
    public func takes(_ kind: RecordKind) -> Bool { kind == .events }

    public func sink(for kind: RecordKind, context: StageContext) throws -> any RecordSink {
        guard takes(kind) else {
            throw PipelineError.fatal(
                .wrongKind, "stage \(context.stage): a store takes events, not \(kind)")
        }
        let folding = Outage(
            "stage \(context.stage): fold", "deltas were not folded", among: context.outages)
        let store = reports.owned(
            byPipeline: context.pipeline, stage: context.stage, beside: context.owners)
        let refusals = Outage.ofRefusals(at: context.stage, among: context.outages)
        let unfolded = UnfoldedDeltas()
        metrics.setGauge(.unfoldedDeltas, context.pipeline, context.stage) { [weak unfolded] in
            unfolded.map { Double($0.count.load(ordering: .relaxed)) }
        }
        return EventStoreSink(
            store: store, stage: context.stage, clock: context.clock,
            onUnfolded: { unfolded.count.store($0, ordering: .relaxed) },
            onRefusals: { error in
                if let error { refusals.failed(error) } else { refusals.succeeded() }
            }
        ) { error in
            if let error { folding.failed(error) } else { folding.succeeded() }
        }
    }
}

/// Lives as long as the sink that counts them.
private final class UnfoldedDeltas: Sendable {
    let count = Atomic(0)
}

extension MetricDeclaration {
    /// Those of what stages keep in a store.
    static let ofStores = [unfoldedDeltas]

    fileprivate static let unfoldedDeltas = gauge(
        "penstock_unfolded_deltas",
        "Sums of events that the last fold left for the next one, counted up to 100,000.",
        labels: "pipeline", "stage")
}

extension [ResourceNeed] {
    var topics: [TopicNeed] {
        compactMap { if case .topic(let need) = $0 { need } else { nil } }
    }
    var ledgers: [LedgerNeed] {
        compactMap { if case .ledger(let need) = $0 { need } else { nil } }
    }
    /// Whether somebody stores events, or reads what they add up to.
    var includeReports: Bool {
        contains { need in
            switch need {
            case .writing, .generation: true
            case .topic, .ledger, .reading: false
            }
        }
    }
}

extension ResourceNeed {
    /// Whether reports are read.
    var isGeneration: Bool { if case .generation = self { true } else { false } }
}

/// A PostgreSQL database with ledgers, events and reports, shared by any number of processes.
final class PostgresStore: StandardStore {
    private let pool: PostgresPool
    private let ledgers: PostgresLedgerProvider
    private let events: PostgresReportStore
    let metrics: MetricRegistry
    var reports: any ReportStore { events }

    init(
        _ address: ResourceAddress, among directory: PostgresPlaces, metrics: MetricRegistry,
        log: PostgresLog? = nil
    ) throws {
        pool = try PostgresPool(
            address, options: PostgresPool.Options(log: log, metrics: metrics), among: directory)
        ledgers = PostgresLedgerProvider(pool: pool)
        events = PostgresReportStore(pool: pool)
        self.metrics = metrics
    }

    var migratesItself: Bool { false }
    var isThere: Bool { true }
    var disk: (bytes: Int, freeBytes: Int)? { nil }

    func migrate() async throws {
        try await ledgers.migrateLedger()
        try await reports.migrate()
    }

    func rename(_ renamings: [StateRenaming], isTrial: Bool) async throws -> [[String]] {
        try await renamings.done(
            isTrial: isTrial, in: { try await pool.withTransaction("BEGIN", $0) }
        ) {
            try PostgresLedgerProvider.rename($0, $1) + PostgresReportStore.rename($0, $1)
        }
    }

    func abandon(
        _ name: StateName, besides owners: [StateOwner], reason: String, isTrial: Bool
    ) async throws -> [String] {
        try await ledgers.abandon(name, besides: owners, reason: reason, isTrial: isTrial)
            + events.abandon(name, besides: owners, reason: reason, isTrial: isTrial)
    }

    func resume(
        _ name: StateName, by actor: String, isTrial: Bool
    ) async throws -> [String] {
        try await ledgers.resume(name, by: actor, isTrial: isTrial)
    }

    func enter(_ stage: LedgerNeed) async throws { try await ledgers.enter(stage) }
    func stages() async throws -> [StageState] { try await ledgers.stages() }
    func migrateLedger() async throws { try await ledgers.migrateLedger() }
    func deadLetters(of pipeline: String) -> any DeadLetterStore {
        ledgers.deadLetters(of: pipeline)
    }
    func ledger(for stage: LedgerStage) throws -> any Ledger { try ledgers.ledger(for: stage) }
    func probe() async throws { try await ledgers.probe() }
    var backend: Backend? { pool.backend }

    func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        try await pool.inspect(timeout: timeout) { connection in
            try PostgresLedgerProvider.findings(on: needs.ledgers, connection)
                + (needs.includeReports
                    ? PostgresReportStore.findings(
                        connection, storing: needs.contains(.writing),
                        reading: needs.contains { $0.isGeneration }) : [])
        }
    }

    func close() async {
        await reports.close()
        await pool.close()
    }
}

extension PostgresStore: PositionInspection {
    func storedPositions(
        of log: LogName, pipeline: String, timeout: Duration
    ) async throws -> StoredPositions? {
        try await pool.withTransaction("BEGIN READ ONLY") { connection in
            try connection.run("SET LOCAL statement_timeout = \(timeout.wholeMilliseconds)")
            return try PostgresLedgerProvider.storedPositions(
                of: log, pipeline: pipeline, connection)
                ?? PostgresReportStore.storedPositions(of: log, pipeline: pipeline, connection)
        }
    }

    func storers(of log: LogName, timeout: Duration) async throws -> [StateName] {
        try await pool.withTransaction("BEGIN READ ONLY") { connection in
            try connection.run("SET LOCAL statement_timeout = \(timeout.wholeMilliseconds)")
            return try PostgresReportStore.storers(of: log, connection)
        }
    }
}

/// One SQLite file as bus and store.
final class EmbeddedStore: StandardStore, TopicBrowsing {
    private let database: SQLiteDatabase
    private let bus: EmbeddedBus
    private let ledgers: SQLiteLedgerProvider
    private let events: SQLiteReportStore
    let metrics: MetricRegistry
    var reports: any ReportStore { events }
    private let isRunning: Bool
    private let lock = Mutex<SQLiteRunLock?>(nil)

    init(_ address: ResourceAddress, context: ResourceContext, among writers: SQLiteWriters) {
        database = SQLiteDatabase(
            path: address.rest, among: writers, metrics: context.metrics)
        bus = EmbeddedBus(
            database: database, clock: context.clock, metrics: context.metrics)
        ledgers = SQLiteLedgerProvider(
            database: database, clock: context.clock, random: context.random,
            isExclusive: context.isRunning)
        events = SQLiteReportStore(database, clock: context.clock)
        isRunning = context.isRunning
        metrics = context.metrics
    }

    var migratesItself: Bool { true }
    var isThere: Bool { database.exists }
    var disk: (bytes: Int, freeBytes: Int)? { database.disk }

    /// Takes the right to run on the file, too, if this process runs pipelines.
    func migrate() async throws {
        if isRunning { try claim("penstock run") }
        try await ledgers.migrateLedger()
        try await reports.migrate()
    }

    /// Held until the store is closed.
    private func claim(_ command: String) throws {
        try lock.withLock { held in
            if held == nil { held = try database.acquireRunLock(command: command) }
        }
    }

    /// While nobody runs anything on the file.
    func rename(_ renamings: [StateRenaming], isTrial: Bool) async throws -> [[String]] {
        try claim("penstock migrate")
        return try await renamings.done(
            isTrial: isTrial, in: { try await database.write($0) }
        ) {
            try SQLiteLedgerProvider.rename($0, $1) + SQLiteReportStore.rename($0, $1)
                + EmbeddedBus.rename($0, $1)
        }
    }

    func abandon(
        _ name: StateName, besides owners: [StateOwner], reason: String, isTrial: Bool
    ) async throws -> [String] {
        if !isTrial { try claim("penstock migrate") }
        return try await ledgers.abandon(
            name, besides: owners, reason: reason, isTrial: isTrial)
            + events.abandon(name, besides: owners, reason: reason, isTrial: isTrial)
    }

    func resume(
        _ name: StateName, by actor: String, isTrial: Bool
    ) async throws -> [String] {
        try await ledgers.resume(name, by: actor, isTrial: isTrial)
    }

    func enter(_ stage: LedgerNeed) async throws { try await ledgers.enter(stage) }
    func stages() async throws -> [StageState] { try await ledgers.stages() }
    func migrateLedger() async throws { try await ledgers.migrateLedger() }
    func deadLetters(of pipeline: String) -> any DeadLetterStore {
        ledgers.deadLetters(of: pipeline)
    }
    func ledger(for stage: LedgerStage) throws -> any Ledger { ledgers.ledger(for: stage) }

    func ensureTopic(_ name: String, partitions: Int?) async throws {
        try await bus.ensureTopic(name, partitions: partitions)
    }
    func consumer(
        _ subscription: Subscription, positions: (any PositionStore)?
    ) async throws -> any BusConsumer {
        try await bus.consumer(subscription, positions: positions)
    }
    func producer() async throws -> any BusProducer { try await bus.producer() }
    func extent(of topic: String, timeout: Duration) async throws -> LogExtent? {
        try await bus.extent(of: topic, timeout: timeout)
    }
    func reader(
        of topic: String, partition: Int32, offsets: Range<Int64>, timeout: Duration
    ) async throws -> any TopicReader {
        try await bus.reader(
            of: topic, partition: partition, offsets: offsets, timeout: timeout)
    }

    func probe() async throws { try await database.probe() }
    var backend: Backend? { database.backend }

    func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        try await database.inspect { connection in
            try EmbeddedBus.findings(on: needs.topics, connection)
                + SQLiteLedgerProvider.findings(on: needs.ledgers, connection)
                + (needs.includeReports ? SQLiteReportStore.findings(connection) : [])
        }
    }
    func close() async {
        await database.close()
        lock.withLock { $0 = nil }
    }
}

extension EmbeddedStore: LogInspection, PositionInspection {
    func contradiction(
        in topic: String, timeout: Duration,
        to stored: @Sendable (LogName) async throws -> StoredPositions?
    ) async throws -> LogContradiction? {
        let log = try await logName(of: topic, timeout: timeout)
        guard let log, let positions = try await stored(log) else { return nil }
        return try await looking {
            try EmbeddedBus.contradiction(in: topic, to: positions, $0)
        }
    }

    func logName(of topic: String, timeout: Duration) async throws -> LogName? {
        try await looking { try EmbeddedBus.logName(of: topic, $0) }
    }

    func storedPositions(
        of log: LogName, pipeline: String, timeout: Duration
    ) async throws -> StoredPositions? {
        try await looking { connection in
            try SQLiteLedgerProvider.storedPositions(of: log, pipeline: pipeline, connection)
                ?? SQLiteReportStore.storedPositions(of: log, pipeline: pipeline, connection)
        }
    }

    func storers(of log: LogName, timeout: Duration) async throws -> [StateName] {
        try await looking { try SQLiteReportStore.storers(of: log, $0) } ?? []
    }

    /// What `body` makes of a connection that can't write; `nil` without a file, or one that can't
    /// be looked at.
    private func looking<Result: Sendable>(
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Result?
    ) async throws -> Result? {
        let found = Mutex<Result?>(nil)
        _ = try await database.inspect { connection in
            if let connection {
                let result = try body(connection)
                found.withLock { $0 = result }
            }
            return []
        }
        return found.withLock { $0 }
    }
}

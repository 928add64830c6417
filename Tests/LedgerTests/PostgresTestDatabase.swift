import Batching
import Glibc
import Ledger
import PipelineCore
import PipelineTesting
import Postgres
import PostgresLedger
import SQLite
import SQLiteLedger
import Testing

/// A database of its own for one test, dropped afterwards.
struct PostgresTestDatabase {
    let address: ResourceAddress
    let name: String

    static func with(
        _ body: (PostgresTestDatabase) async throws -> Void,
        location: SourceLocation = #_sourceLocation
    ) async throws {
        let url = try #require(
            unsafe getenv("PENSTOCK_TEST_POSTGRES").map { unsafe String(cString: $0) },
            "set PENSTOCK_TEST_POSTGRES (deploy/test-servers start DIR postgres)",
            sourceLocation: location)
        let name = "test_\(RandomSource().next())"
        let server = try #require(ResourceAddress(url: url))
        let administration = try PostgresPool(server, options: .init(connections: 1))
        try await administration.withConnection {
            try $0.run("CREATE DATABASE \(identifier: name)")
        }
        let address = ResourceAddress(url: url, properties: ["dbname": name])!
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(PostgresTestDatabase(address: address, name: name)))
        } catch {
            result = .failure(error)
        }
        try await administration.withConnection {
            try $0.run("DROP DATABASE \(identifier: name) WITH (FORCE)")
        }
        await administration.close()
        try result.get()
    }

    /// A database with the ledger's tables, used through a pooler in transaction mode.
    static func withLedgersBehindPooler(
        _ body: (PostgresLedgerProvider) async throws -> Void,
        location: SourceLocation = #_sourceLocation
    ) async throws {
        let url = try #require(
            unsafe getenv("PENSTOCK_TEST_PGBOUNCER").map { unsafe String(cString: $0) },
            "set PENSTOCK_TEST_PGBOUNCER (deploy/test-servers start DIR pgbouncer)",
            sourceLocation: location)
        try await with { database in
            let address = ResourceAddress(url: url, properties: ["dbname": database.name])!
            let provider = PostgresLedgerProvider(pool: try PostgresPool(address))
            try await provider.migrateLedger()
            try await body(provider)
            await provider.close()
        }
    }

    func pool(connections: Int = 4) throws -> PostgresPool {
        try PostgresPool(address, options: .init(connections: connections))
    }

    /// A database with the ledger's tables.
    static func withLedgers(
        _ body: (PostgresTestDatabase, PostgresLedgerProvider) async throws -> Void
    ) async throws {
        try await with { database in
            let provider = PostgresLedgerProvider(pool: try database.pool())
            try await provider.migrateLedger()
            try await body(database, provider)
            await provider.close()
        }
    }

    /// Ends one other session of the database, whatever it is doing.
    func terminateBackend(using pool: PostgresPool) async throws {
        try await pool.withConnection { connection in
            _ = try connection.query(
                """
                select pg_terminate_backend(pid), pg_sleep(random() * 0.03)
                from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()
                order by random() limit 1
                """)
        }
    }
}

/// A ledger in memory under a clock that the test moves.
struct SQLiteLedgerFixture: Sendable {
    let time = ManualClock()
    let random = RandomSource(seed: 1)
    let database: SQLiteDatabase
    let ledger: any Ledger

    init(
        _ trigger: Trigger = .any([.count(4), .maxAge(.seconds(60)), .manual]), maxBatch: Int = 4,
        database: SQLiteDatabase = .inMemory(), clock: PipelineClock? = nil
    ) async throws {
        self.database = database
        let provider = SQLiteLedgerProvider(
            database: database, clock: clock ?? time.clock, random: random)
        try await provider.migrateLedger()
        ledger = provider.ledger(for: Self.stage(trigger, maxBatch: maxBatch))
        try await ledger.register()
    }

    static func stage(
        _ trigger: Trigger, maxBatch: Int = 4, text: String = "rule", revision: Int64? = nil
    ) -> LedgerStage {
        LedgerStage(
            pipeline: "p", stage: "batch",
            rule: BatchingRule(trigger: trigger, maxBatch: maxBatch, minInterval: .zero),
            ruleText: text, revision: revision, sla: .hours(24))
    }

    func id(_ number: Int) -> UUID { UUID(high: 7, low: UInt64(number)) }

    /// Accepts cases of these numbers; each digest is the number's, unless `content` says
    /// otherwise.
    @discardableResult
    func accept(
        _ numbers: some Sequence<Int>, content: UInt64 = 0, advances: [PositionAdvance] = []
    ) async throws -> Acceptance {
        var submissions = Submissions(advances: advances)
        for number in numbers {
            submissions.append(
                id: id(number), digest: Digest(high: content, low: UInt64(number)), deadline: nil,
                parameters: [UInt8(truncatingIfNeeded: number)])
        }
        return try await ledger.accept(submissions)
    }

    /// Claims the next batch and commits it.
    func generate(
        sinks: [String] = [], _ result: CaseResult = .report([1, 2, 3])
    ) async throws -> Batch? {
        guard let batch = try await ledger.claim(worker: "w", lease: .seconds(10)) else {
            return nil
        }
        try await ledger.commit(commit(batch, sinks: sinks, result))
        return batch
    }

    func commit(
        _ batch: Batch, sinks: [String] = [], _ result: CaseResult = .report([1, 2, 3])
    ) -> BatchCommit {
        BatchCommit(
            batch: batch.number, token: batch.token, cases: batch.cases.map(\.number),
            outcomeIDs: batch.cases.map { UUID(high: 9, low: UInt64($0.number)) },
            results: batch.cases.map { _ in result }, dataAsOf: time.timestamp, sinks: sinks,
            took: .milliseconds(20), rowsRead: 3)
    }

    func states(_ numbers: Int...) async throws -> [CaseState?] {
        let snapshots = try await ledger.snapshots(of: numbers.map(id))
        return numbers.map { snapshots[id($0)]?.state }
    }
}

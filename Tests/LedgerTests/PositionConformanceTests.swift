import Batching
import Glibc
import Ledger
import PipelineCore
import PipelineTesting
import Postgres
@testable import PostgresLedger
import SQLite
import SQLiteLedger
import Testing

/// Positions of a ledger's inputs, in every store that keeps ledgers.
@Suite("Positions of a ledger", .timeLimit(.minutes(2)))
struct PositionConformanceTests {
    private static let stage = SQLiteLedgerFixture.stage(.manual)

    @Test("in PostgreSQL:", arguments: PositionConformance.checks)
    func postgres(_ check: PositionConformance.Check) async throws {
        try await PostgresTestDatabase.withLedgers { database, provider in
            let ledger = try provider.ledger(for: Self.stage)
            try await ledger.register()
            let pool = try database.pool()
            try await check.run(
                PositionConformance(ledger) { advances in
                    _ = try await ledger.accept(Submissions(advances: advances))
                } keepAsFormerly: { source, positions in
                    try await Self.keep(positions, of: source, in: pool)
                })
            await pool.close()
        }
    }

    @Test("in SQLite:", arguments: PositionConformance.checks)
    func sqlite(_ check: PositionConformance.Check) async throws {
        let fixture = try await SQLiteLedgerFixture(.manual)
        try await check.run(
            PositionConformance(fixture.ledger) { advances in
                _ = try await fixture.ledger.accept(Submissions(advances: advances))
            } keepAsFormerly: { source, positions in
                try await fixture.database.write { connection in
                    for (partition, offset) in positions {
                        try connection.run(
                            """
                            INSERT INTO ledger_positions(stage_no, source, partition, next_offset)
                            SELECT stage_no, ?1, ?2, ?3 FROM ledger_stages
                            """, source, partition, offset)
                    }
                }
            })
    }

    @Test("in memory:", arguments: PositionConformance.checks)
    func memory(_ check: PositionConformance.Check) async throws {
        let store = FakePositions()
        try await check.run(
            PositionConformance(store) {
                try store.advance($0)
            } keepAsFormerly: { source, positions in
                for (partition, offset) in positions { store.set(source, partition, to: offset) }
            })
    }

    @Test("of a database that an earlier version made are taken over by its migration")
    func migrated() async throws {
        try await PostgresTestDatabase.with { database in
            let pool = try database.pool()
            var former = LedgerSchema.migration
            former.steps = Array(former.steps.prefix(1))
            try await pool.migrate(former)
            let ledger = PostgresLedger(pool: pool, stage: Self.stage)
            try await pool.withConnection { connection in
                _ = try connection.query("select penstock.register($1, $2, $3, null)") {
                    $0.add(text: Self.stage.pipeline)
                    $0.add(text: Self.stage.stage)
                    $0.add(text: Self.stage.ruleText)
                }
            }
            try await Self.keep([0: 450], of: "requests", in: pool)
            try await pool.migrate(LedgerSchema.migration)
            let stored = try await ledger.positions(
                of: LogName("kafka:c/requests", formerly: "requests"), initial: [0: 0])
            #expect(stored.source == "kafka:c/requests")
            #expect(stored.next == [0: 450])
            await pool.close()
        }
    }

    private static func keep(
        _ positions: [Int32: Int64], of source: String, in pool: PostgresPool
    ) async throws {
        try await pool.withConnection { connection in
            for (partition, offset) in positions {
                _ = try connection.query(
                    """
                    insert into penstock.positions(stage, source, part, next_offset)
                    select stage, $1, $2, $3 from penstock.stages
                    """
                ) {
                    $0.add(text: source)
                    $0.add(int4: partition)
                    $0.add(int8: offset)
                }
            }
        }
    }
}

/// What is settled in dead-letter topics, in every store that keeps ledgers.
@Suite("Settled letters", .timeLimit(.minutes(2)))
struct SettledLettersTests {
    @Test("in PostgreSQL:", arguments: DeadLetterMarksConformance.checks)
    func postgres(_ check: DeadLetterMarksConformance.Check) async throws {
        try await PostgresTestDatabase.withLedgers { _, provider in
            try await check.run(provider.deadLetters(of: "pipeline"))
        }
    }

    @Test("in SQLite:", arguments: DeadLetterMarksConformance.checks)
    func sqlite(_ check: DeadLetterMarksConformance.Check) async throws {
        let provider = SQLiteLedgerProvider(database: .inMemory(), clock: .system)
        try await provider.migrateLedger()
        try await check.run(provider.deadLetters(of: "pipeline"))
    }

    @Test("in memory:", arguments: DeadLetterMarksConformance.checks)
    func memory(_ check: DeadLetterMarksConformance.Check) async throws {
        try await check.run(FakeDeadLetters())
    }

    @Test("are a set of offsets, whatever the order that they come in")
    func ranges() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var (set, ranges) = (Set<Int64>(), OffsetRanges())
            for _ in 0..<4 {
                let some = (0..<8).map { _ in Int64.random(in: 0..<40, using: &random) }
                set.formUnion(some)
                ranges.formUnion(OffsetRanges(some))
            }
            let start = Int64.random(in: 0..<10, using: &random)
            set = set.filter { $0 >= start }
            ranges.remove(below: start)
            #expect(Set(ranges.ranges.flatMap { Array($0) }) == set)
            #expect(OffsetRanges(bounds: ranges.bounds) == ranges)
            #expect(
                zip(ranges.ranges, ranges.ranges.dropFirst()).allSatisfy {
                    $0.upperBound < $1.lowerBound
                })
            for offset in 0..<45 as Range<Int64> {
                #expect(ranges.contains(offset) == set.contains(offset))
                let missing = (offset...).first { !set.contains($0) }
                #expect(ranges.firstMissing(from: offset) == missing)
            }
        }
    }
}

@Suite("The ledger on PostgreSQL")
struct PostgresLedgerTests {
    @Test("keeps a ledger's promises", arguments: LedgerConformance.checks)
    func conforms(_ check: LedgerConformance.Check) async throws {
        try await PostgresTestDatabase.withLedgers { _, provider in
            try await check.run(LedgerConformance { try provider.ledger(for: $0) })
        }
    }

    @Test("keeps them behind PgBouncer in transaction mode", arguments: LedgerConformance.checks)
    func conformsBehindPooler(_ check: LedgerConformance.Check) async throws {
        try await PostgresTestDatabase.withLedgersBehindPooler { provider in
            try await check.run(LedgerConformance { try provider.ledger(for: $0) })
        }
    }
}

@Suite(.timeLimit(.minutes(2)))
struct SQLiteLedgerConformanceTests {
    @Test(arguments: LedgerConformance.checks)
    func `In memory,`(_ check: LedgerConformance.Check) async throws {
        try await run(check, on: .inMemory())
    }

    @Test(arguments: LedgerConformance.checks)
    func `In a file,`(_ check: LedgerConformance.Check) async throws {
        let path = "/tmp/penstock-ledger-\(getpid())-\(RandomSource().uuid()).sqlite"
        defer { for end in ["", "-wal", "-shm"] { unsafe unlink(path + end) } }
        let database = SQLiteDatabase(path: path)
        try await run(check, on: database)
        await database.close()
    }

    private func run(_ check: LedgerConformance.Check, on database: SQLiteDatabase) async throws {
        let provider = SQLiteLedgerProvider(database: database, clock: .system)
        try await provider.migrateLedger()
        try await check.run(LedgerConformance { provider.ledger(for: $0) })
    }
}

import Glibc
import PipelineCore
import PipelineTesting
import Postgres
import SQLite
import Testing

@testable import ConversionReports

/// Positions of events, in every store that keeps events.
@Suite("Positions of events", .timeLimit(.minutes(2)))
struct StorePositionsTests {
    @Test("in PostgreSQL:", arguments: PositionConformance.checks)
    func postgres(_ check: PositionConformance.Check) async throws {
        try await TestDatabase.with { database in
            try await database.withStore { store in
                let pool = try database.pool()
                let owned = store.owned(byPipeline: "p", stage: "s")
                try await check.run(
                    PositionConformance(owned) {
                        try await owned.append(EventBatch(), advances: $0)
                    } keepAsFormerly: { source, positions in
                        try await Self.keep(positions, of: source, in: pool)
                    })
                await pool.close()
            }
        }
    }

    @Test("in SQLite:", arguments: PositionConformance.checks)
    func sqlite(_ check: PositionConformance.Check) async throws {
        let database = SQLiteDatabase.inMemory()
        let store = SQLiteReportStore(database, clock: .system)
        try await store.migrate()
        let owned = store.owned(byPipeline: "p", stage: "s")
        try await check.run(
            PositionConformance(owned) {
                try await owned.append(EventBatch(), advances: $0)
            } keepAsFormerly: { source, positions in
                try await database.write { connection in
                    for (partition, offset) in positions {
                        try connection.run(
                            """
                            INSERT INTO conversion_event_positions(
                              pipeline, stage, source, partition, next_offset)
                            VALUES('', '', ?1, ?2, ?3)
                            """, source, partition, offset)
                    }
                }
            })
    }

    @Test("belong to one stage of one pipeline", arguments: StoreKind.allCases)
    func owners(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let log = LogName("kafka:c/events", formerly: "events")
            let owners = [("a", "s"), ("a", "t"), ("b", "s")].map {
                store.owned(byPipeline: $0.0, stage: $0.1)
            }
            for (index, owner) in owners.enumerated() {
                let stored = try await owner.positions(of: log, initial: [0: 0])
                #expect(stored.next == [0: 0])
                try await owner.append(
                    EventBatch(),
                    advances: [
                        PositionAdvance(
                            source: stored.source, partition: 0, expected: 0,
                            next: Int64(10 + index))
                    ])
                try await owner.keep(
                    [0: LogWitness(offset: Int64(index), digest: 1)], of: stored.source)
            }
            try await owners[1].restart(log, after: log.key, at: [0: 5])
            var found: [[Int32: Int64]] = []
            for owner in owners {
                found.append(try await owner.positions(of: log, initial: [0: 0]).next)
            }
            #expect(found == [[0: 10], [0: 5], [0: 12]])
        }
    }

    @Test(
        "are not begun anew under another name: events would count twice",
        arguments: StoreKind.allCases)
    func names(_ kind: StoreKind) async throws {
        try await kind.withStore { store in
            let log = LogName("kafka:c/events", formerly: "events")
            let (a, b) = (
                StateOwner(pipeline: "a", stage: "stored"), StateOwner(pipeline: "b", stage: "kept")
            )
            func position(_ owner: StateOwner, beside owners: [StateOwner]) async throws -> Int64? {
                try await store.owned(
                    byPipeline: owner.pipeline, stage: owner.stage, beside: owners
                ).positions(of: log, initial: [0: 7]).next[0]
            }
            #expect(try await position(a, beside: [a]) == 7)
            let error = await #expect(throws: PipelineError.self) {
                try await position(b, beside: [b])
            }
            #expect(error?.code == "state-unowned")
            #expect(error?.message.contains("--rename a/stored=b/kept") == true)
            #expect(error?.message.contains("--abandon a/stored") == true)
            let names = try #require(store as? any StateAdministration)
            let (old, new) = (
                StateName(pipeline: "a", part: "stored"), StateName(pipeline: "b", part: "kept")
            )
            #expect(
                try await names.rename(old, to: new) == [
                    "b/kept stores events where a/stored was: 1 partition(s)"
                ])
            #expect(try await names.rename(old, to: new).isEmpty)
            #expect(try await position(b, beside: [b]) == 7)
            // Both are meant: they are named together once, and then have a place of their own
            // each.
            #expect(try await position(a, beside: [a, b]) == 7)
            #expect(try await position(a, beside: [a]) == 7)
            await #expect(throws: PipelineError.self) { try await names.rename(old, to: new) }
            // Whoever is gone can be forgotten; whoever is at hand is not.
            let c = StateOwner(pipeline: "c", stage: "kept")
            for isTrial in [true, false] {
                await #expect(throws: PipelineError.self) { try await position(c, beside: [c]) }
                for owner in [a, b] {
                    let name = StateName(pipeline: owner.pipeline)
                    #expect(
                        try await names.abandon(
                            name, besides: [owner], reason: "", isTrial: isTrial
                        ).isEmpty)
                    let forgotten = try await names.abandon(name, reason: "", isTrial: isTrial)
                    #expect(forgotten.count == 1)
                    #expect(forgotten.first?.contains("counts them once more") == true)
                }
            }
            #expect(try await position(c, beside: [c]) == 7)
        }
    }

    @Test("of a database that an earlier version made are taken over by its migration")
    func migrated() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            var former = PostgresReportStore.migration
            former.steps = Array(former.steps.prefix(1))
            try await pool.migrate(former)
            try await Self.keep([0: 450], of: "events", in: pool)
            try await pool.migrate(PostgresReportStore.migration)
            let store = PostgresReportStore(pool: pool)
            let stored = try await store.owned(byPipeline: "p", stage: "s").positions(
                of: LogName("kafka:c/events", formerly: "events"), initial: [0: 0])
            #expect(stored.next == [0: 450])
            await store.close()
            await pool.close()
        }
    }

    @Test("of a file that an earlier version made are taken over by its migration")
    func migratedFile() async throws {
        let database = SQLiteDatabase.inMemory()
        try await database.migrate(
            SQLiteMigration(component: "conversion-reports", steps: [SQLiteReportSQL.schema]))
        try await database.write {
            try $0.execute("INSERT INTO conversion_event_positions VALUES('events', 0, 450)")
        }
        let store = SQLiteReportStore(database, clock: .system)
        try await store.migrate()
        let stored = try await store.owned(byPipeline: "p", stage: "s").positions(
            of: LogName("embedded:x/events", formerly: "events"), initial: [0: 0])
        #expect(stored.next == [0: 450])
    }

    private static func keep(
        _ positions: [Int32: Int64], of source: String, in pool: PostgresPool
    ) async throws {
        try await pool.withConnection { connection in
            for (partition, offset) in positions {
                _ = try connection.query(
                    """
                    INSERT INTO conversion.event_positions(source, partition, next_offset)
                    VALUES ($1, $2, $3)
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

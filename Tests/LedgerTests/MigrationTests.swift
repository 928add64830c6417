import PipelineTesting
import Batching
import Ledger
import PipelineCore
import Postgres
import Testing

@testable import PostgresLedger

/// Databases keep what these digests identify: a step that has been shipped is never changed. What
/// it made is changed by a step of its own, whose digest goes to the end of the list.
@Suite("Steps of the ledger in PostgreSQL", .timeLimit(.minutes(2)))
struct MigrationTests {
    @Test("are what they were when they were shipped")
    func digests() {
        #expect(
            LedgerSchema.migration.digests == [
                "b457ece4d94c2a285485929544ebd37e", "6b68f06bfdeb41df5c7dd9cf4a9019e7",
                "e893259c0f4181bdf6051b1902630097", "1a76f203c1b61ed1828582c6f368eab0",
                "36f47874a0b977f73739dacfa4f141f0", "5ec623deee8ddebf1168c9533f3ff834",
                "2baaf1c2092a73356ea60e234dbfcc03", "519926f68fe75960be6204acb88623cf",
                "1831c03610350977c14417e2d7703486", "0b331ec91a9bb6702d0b59fc9bc51f09",
                "e12fed4f57d517c1126099c6ee056a02", "5fc9b6faef40a6ac54d951ef14e2bdcf",
                "258dbd95046c4acfd8bf6fa7989170e0", "2f9d2f2e0c2325c1a7c9c58269975025",
                "f78650c9deeda63aaaafe7a46671af47", "1e17a5f8146e947b7b3f6988631b400b",
            ])
    }

    @Test("say which of them has made the text of a function that is in force")
    func functions() async throws {
        let scripts: [(name: String, script: PostgresScript)] = [
            ("tables", LedgerSchema.tables), ("registration", LedgerSchema.registration),
            ("accept", LedgerSchema.accept), ("openBatch", LedgerSchema.openBatch),
            ("seal", LedgerSchema.seal), ("claiming", LedgerSchema.claiming),
            ("commit", LedgerSchema.commit), ("bisect", LedgerSchema.bisect),
            ("deliveries", LedgerSchema.deliveries), ("snapshots", LedgerSchema.snapshots),
            ("upkeep", LedgerSchema.upkeep), ("revisions", LedgerSchema.revisions),
            ("refusals", LedgerSchema.refusals), ("logs", LedgerSchema.logs),
            ("repeats", LedgerSchema.repeats), ("waits", LedgerSchema.waits),
            ("traces", LedgerSchema.traces), ("replays", LedgerSchema.replays),
            ("turns", LedgerSchema.turns), ("letters", LedgerSchema.letters),
            ("endings", LedgerSchema.endings), ("requesters", LedgerSchema.requesters),
            ("refreshing", LedgerSchema.refreshing),
        ]
        var makers: [String: String] = [:]
        for (name, script) in scripts {
            for match in "\(script)".matches(of: /drop function penstock\.(\w+)/) {
                makers[String(match.output.1)] = nil
            }
            for match in "\(script)".matches(of: /create (?:or replace )?function penstock\.(\w+)/)
            {
                makers[String(match.output.1)] = name
            }
        }
        let inForce = Dictionary(grouping: makers.keys.sorted()) { makers[$0]! }
        #expect(LedgerSchema.functionsInForce == inForce)
        try await PostgresTestDatabase.with { database in
            let provider = PostgresLedgerProvider(pool: try database.pool())
            try await provider.migrateLedger()
            let made = try await database.pool().withConnection { connection in
                let answer = try connection.query(
                    """
                    select distinct proname::text from pg_proc
                    where pronamespace = 'penstock'::regnamespace
                    """)
                return Set((0..<answer.rowCount).map { answer.text($0, 0) })
            }
            #expect(made == Set(inForce.values.joined()))
            await provider.close()
        }
    }

    @Test("give a database whose functions are of an older text the present ones")
    func renewal() async throws {
        try await PostgresTestDatabase.with { database in
            let pool = try database.pool()
            var first = LedgerSchema.migration
            first.steps.removeLast(first.steps.count - 1)
            try await pool.migrate(first)
            // As it was made before: another clause in `accept`, functions of fewer parameters.
            try await pool.withConnection {
                try $0.run(
                    """
                    do $do$ begin
                      execute replace(
                        pg_get_functiondef('penstock.accept'::regproc),
                        'on conflict (key, stage, attempt) do nothing', 'on conflict do nothing');
                    end $do$;
                    create function penstock.look(p_stage smallint, p_limit int) returns int
                      language sql as 'select 1';
                    alter table penstock.stages drop column fired_no;
                    alter table penstock.schema_versions drop column digest;
                    """)
            }
            let text = "pg_get_functiondef('penstock.accept'::regproc)"
            let before = try await pool.withConnection {
                try $0.query("select \(text) like '%(key, stage, attempt) do nothing%'").bool(0, 0)
            }
            #expect(!before)
            let provider = PostgresLedgerProvider(pool: pool)
            try await provider.migrateLedger()
            let (after, looks) = try await pool.withConnection { connection in
                let answer = try connection.query(
                    """
                    select \(text) like '%(key, stage, attempt) do nothing%',
                      (select count(*)::int from pg_proc where proname = 'look'
                        and pronamespace = 'penstock'::regnamespace)
                    """)
                return (answer.bool(0, 0), answer.int(0, 1))
            }
            #expect(after)
            #expect(looks == 1)
            try await provider.probe()
            await provider.close()
        }
    }

    @Test("without the tables, probing and using both say to migrate; migrating again is harmless")
    func migrations() async throws {
        let stage = LedgerStage(
            pipeline: "p", stage: "s",
            rule: BatchingRule(trigger: .manual, maxBatch: 20, minInterval: .zero),
            ruleText: "r", revision: nil, sla: .hours(1))
        try await PostgresTestDatabase.with { database in
            let provider = PostgresLedgerProvider(pool: try database.pool())
            let probed = await #expect(throws: PipelineError.self) { try await provider.probe() }
            let used = await #expect(throws: PipelineError.self) {
                try await provider.ledger(for: stage).register()
            }
            for error in [probed, used] {
                #expect(error?.disposition == .fatal && error?.code == "store-schema")
                #expect(error?.message.contains("penstock migrate") == true)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 { group.addTask { try await provider.migrateLedger() } }
                try await group.waitForAll()
            }
            try await provider.probe()
            try await provider.ledger(for: stage).register()
            await provider.close()
        }
    }
}

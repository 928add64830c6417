import Batching
import Ledger
import PipelineCore
import Postgres
@testable import PostgresLedger
import Testing

@Suite("Looking at a ledger in PostgreSQL", .timeLimit(.minutes(2)))
struct PostgresInspectionTests {
    private static let need = LedgerNeed(
        pipeline: "p", stage: "batch", ruleText: "count 5", revision: nil)

    private func findings(
        _ database: PostgresTestDatabase, _ needs: [LedgerNeed] = [need]
    ) async throws -> [ResourceFinding] {
        let pool = try database.pool(connections: 1)
        let found = try await pool.inspect(timeout: .seconds(10)) {
            try PostgresLedgerProvider.findings(on: needs, $0)
        }
        await pool.close()
        return found
    }

    private func register(
        _ provider: PostgresLedgerProvider, _ ruleText: String, revision: Int64?
    ) async throws {
        try await provider.ledger(
            for: LedgerStage(
                pipeline: "p", stage: "batch",
                rule: .init(trigger: .count(5), maxBatch: 5, minInterval: .zero),
                ruleText: ruleText, revision: revision, sla: .hours(24))
        ).register()
    }

    @Test("says what the server is, and that tables are missing")
    func unmigrated() async throws {
        try await PostgresTestDatabase.with { database in
            let found = try await findings(database)
            #expect(found[0].detail.hasPrefix("PostgreSQL "))
            #expect(found[0].detail.hasSuffix("database \(database.name)"))
            #expect(
                found.dropFirst() == [
                    ResourceFinding(
                        "ledger", .wrong, "its tables are not there",
                        hint: "run `penstock migrate`")
                ])
        }
    }

    @Test("knows every column that a migration makes, and no other")
    func columns() async throws {
        try await PostgresTestDatabase.withLedgers { database, _ in
            let pool = try database.pool(connections: 1)
            let made = try await pool.withConnection { connection in
                let rows = try connection.query(
                    """
                    select table_name::text, column_name::text from information_schema.columns
                    where table_schema = 'penstock' and table_name <> 'schema_versions'
                    order by 1, ordinal_position
                    """)
                return (0..<rows.rowCount).map { "\(rows.text($0, 0)).\(rows.text($0, 1))" }
            }
            let known = LedgerSchema.columns.sorted { $0.key < $1.key }
                .flatMap { table, columns in columns.map { "\(table).\($0)" } }
            #expect(made == known)
            await pool.close()
        }
    }

    @Test("names what somebody took away")
    func damaged() async throws {
        try await PostgresTestDatabase.withLedgers { database, _ in
            let pool = try database.pool(connections: 1)
            try await pool.withConnection { connection in
                try connection.run("ALTER TABLE penstock.cases DROP COLUMN digest")
                try connection.run("DROP TABLE penstock.deliveries")
            }
            await pool.close()
            let ledger = try await findings(database)[1]
            #expect(ledger.verdict == .wrong)
            #expect(ledger.detail.contains("penstock.cases.digest"))
            #expect(ledger.detail.contains("penstock.deliveries.sink"))
        }
    }

    @Test("refuses tables of a newer program")
    func newer() async throws {
        try await PostgresTestDatabase.withLedgers { database, _ in
            let pool = try database.pool(connections: 1)
            try await pool.withConnection {
                try $0.run("INSERT INTO penstock.schema_versions VALUES ('ledger', 99)")
            }
            await pool.close()
            let ledger = try await findings(database)[1]
            let known = LedgerSchema.migration.steps.count
            #expect(ledger.detail == "its tables have version 99, this program knows \(known)")
        }
    }

    @Test("foretells what becomes of the rule, and registers nothing")
    func rules() async throws {
        try await PostgresTestDatabase.withLedgers { database, provider in
            for _ in 0..<2 {
                #expect(try await findings(database)[2].detail.hasPrefix("a new stage"))
            }
            try await register(provider, "count 4", revision: 7)
            let replaced = try await findings(database)[2]
            #expect(replaced.verdict == .ok)
            #expect(replaced.detail.contains("as revision 7"))
            #expect(replaced.detail.contains("as 8"))
            var conflicting = Self.need
            conflicting.revision = 7
            #expect(try await findings(database, [conflicting])[2].verdict == .wrong)
        }
    }

    @Test("names the rights that the role lacks")
    func privileges() async throws {
        try await PostgresTestDatabase.withLedgers { database, _ in
            let pool = try database.pool(connections: 1)
            let role = "\(database.name)_role"
            try await pool.withConnection {
                try $0.run(
                    """
                    create role \(identifier: role);
                    grant usage on schema penstock to \(identifier: role);
                    grant select, insert, update, delete on all tables in schema penstock
                      to \(identifier: role);
                    grant usage, select on all sequences in schema penstock to \(identifier: role);
                    """)
            }
            func look() async throws -> ResourceFinding {
                try await pool.inspect(timeout: .seconds(10)) {
                    try $0.run("set local role \(identifier: role)")
                    return try PostgresLedgerProvider.findings(on: [Self.need], $0)
                }[1]
            }
            #expect(try await look().verdict == .ok)
            try await pool.withConnection {
                try $0.run(
                    """
                    revoke insert on penstock.cases from \(identifier: role);
                    revoke usage on sequence penstock.case_numbers from \(identifier: role);
                    revoke execute on function penstock.purge from public;
                    """)
            }
            let found = try await look()
            #expect(found.verdict == .wrong)
            #expect(
                found.detail
                    == "\(role) lacks USAGE on penstock.case_numbers, INSERT on penstock.cases, EXECUTE on function penstock.purge"
            )
            #expect(
                found.hint
                    == "as their owner: GRANT USAGE on penstock.case_numbers TO \(role), and so on")
            try await pool.withConnection {
                try $0.run("drop owned by \(identifier: role); drop role \(identifier: role)")
            }
            await pool.close()
        }
    }

    @Test("is done in a transaction that can't write")
    func readOnly() async throws {
        try await PostgresTestDatabase.withLedgers { database, _ in
            let pool = try database.pool(connections: 1)
            let error = try await #require(throws: PipelineError.self) {
                try await pool.inspect(timeout: .seconds(10)) { connection in
                    try connection.run("DELETE FROM penstock.stages")
                    return []
                }
            }
            #expect(error.postgres?.sqlState == "25006")
            await pool.close()
        }
    }
}

@Suite("What is foretold of a rule")
struct RuleFindingTests {
    private func verdict(
        revision: Int64?, stored: (String, Int64)?
    ) -> ResourceFinding.Verdict {
        LedgerNeed(pipeline: "p", stage: "s", ruleText: "new", revision: revision)
            .finding(stored: stored.map { (ruleText: $0.0, revision: $0.1) }).verdict
    }

    @Test("is what registering it does")
    func verdicts() {
        #expect(verdict(revision: nil, stored: nil) == .ok)
        #expect(verdict(revision: nil, stored: ("new", 3)) == .ok)
        #expect(verdict(revision: nil, stored: ("old", 3)) == .ok)
        #expect(verdict(revision: 3, stored: ("new", 3)) == .ok)
        #expect(verdict(revision: 4, stored: ("old", 3)) == .ok)
        #expect(verdict(revision: 3, stored: ("old", 3)) == .wrong)
        #expect(verdict(revision: 2, stored: ("old", 3)) == .wrong)
        #expect(verdict(revision: 2, stored: ("new", 3)) == .wrong)
    }
}

import Ledger
import PipelineTesting
import PostgresLedger
import Testing

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

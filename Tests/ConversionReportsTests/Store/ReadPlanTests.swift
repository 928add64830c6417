import PipelineCore
import Postgres
import Testing

@testable import ConversionReports

@Suite("The read statement on PostgreSQL")
struct ReadPlanTests {
    @Test("scans indexes in nested loops, and nothing else")
    func plan() async throws {
        try await TestDatabase.with { database in
            try await database.withStore { store in
                let data = SampleData(
                    products: 300, start: Timestamp(microseconds: CountedEvents.start),
                    viewsPerDay: 700, paymentsPerDay: 20)
                try await SampleLoader(store: store).load(data)
                let readers = try PostgresPool(
                    database.address, options: .init(settings: PostgresReportStore.readSettings))
                let plan = try await readers.withConnection { connection in
                    try connection.run("VACUUM ANALYZE")
                    let rows = try connection.query(
                        "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) \(PostgresReportSQL.read)"
                    ) { parameters in
                        parameters.add(texts: ["product-1", "product-200"])
                        parameters.add(texts: ["checkout-1", "checkout-2"])
                        let ends = [3, 20].map {
                            Timestamp(
                                microseconds: CountedEvents.start + $0 * CountedEvents.day + 7)
                        }
                        parameters.add(timestamptzs: [ends[0], ends[0]])
                        parameters.add(timestamptzs: [ends[1], ends[1]])
                    }
                    return (0..<rows.rowCount).map { rows.text($0, 0) }
                }
                await readers.close()
                let executed = plan.filter { !$0.contains("never executed") }
                for wanted in ["rollup_day_pkey", "rollup_hour_pkey", "events_2026_"] {
                    #expect(
                        executed.contains { $0.contains("Index Only Scan using \(wanted)") },
                        "\(wanted): \(plan.joined(separator: "\n"))")
                }
                for unwanted in ["Seq Scan", "Hash Join", "Merge Join", "Bitmap"] {
                    #expect(!executed.contains { $0.contains(unwanted) }, "\(unwanted)")
                }
            }
        }
    }
}

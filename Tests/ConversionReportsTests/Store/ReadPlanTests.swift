import PipelineCore
import Postgres
import Testing

@testable import ConversionReports

@Suite("The read statement on PostgreSQL")
struct ReadPlanTests {
    @Test("scans indexes in nested loops, and nothing else")
    func plan() async throws {
        let plan = try await Self.readPlan().filter { !$0.contains("never executed") }
        for wanted in ["rollup_day_pkey", "rollup_hour_pkey", "events_2026_"] {
            let scan = "Index Only Scan using \(wanted)"
            #expect(plan.contains { $0.contains(scan) }, "no \(scan)")
        }
        for unwanted in ["Seq Scan", "Hash Join", "Merge Join", "Bitmap"] {
            #expect(!plan.contains { $0.contains(unwanted) }, "a \(unwanted)")
        }
    }

    /// The plan for two queries over a month of sample data, as executed.
    private static func readPlan() async throws -> [String] {
        var plan: [String] = []
        try await TestDatabase.with { database in
            try await database.withStore { try await fill($0) }
            plan = try await explain(database)
        }
        return plan
    }

    private static func fill(_ store: any ReportStore) async throws {
        let data = SampleData(
            products: 300, start: Timestamp(microseconds: CountedEvents.start),
            viewsPerDay: 700, paymentsPerDay: 20)
        try await SampleLoader(store: store).load(data)
    }

    private static func explain(_ database: TestDatabase) async throws -> [String] {
        let readers = try PostgresPool(
            database.address, options: .init(settings: PostgresReportStore.readSettings))
        let plan = try await readers.withConnection { connection in
            try connection.run("VACUUM ANALYZE")
            return try explain(on: connection)
        }
        await readers.close()
        return plan
    }

    private static func explain(on connection: PostgresConnection) throws -> [String] {
        let sql = "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) \(PostgresReportSQL.read)"
        let ends = [3, 20].map {
            Timestamp(microseconds: CountedEvents.start + $0 * CountedEvents.day + 7)
        }
        let rows = try connection.query(sql) { parameters in
            parameters.add(texts: ["product-1", "product-200"])
            parameters.add(texts: ["checkout-1", "checkout-2"])
            parameters.add(timestamptzs: [ends[0], ends[0]])
            parameters.add(timestamptzs: [ends[1], ends[1]])
        }
        return (0..<rows.rowCount).map { rows.text($0, 0) }
    }
}

import ConversionReports
import PipelineCore
import Postgres
import Testing

@Suite("The PostgreSQL store's partitions")
struct PartitionTests {
    @Test("keep events of each month in a table of its own, odd dates in the default one")
    func partitions() async throws {
        try await TestDatabase.with { database in
            try await database.withStore { store in
                let pool = try database.pool()
                let months = try await pool.withConnection { connection in
                    let row = try connection.query(
                        """
                        SELECT to_char(now() AT TIME ZONE 'UTC' - interval '3 months', 'YYYY_MM'),
                          date_trunc('month', now() AT TIME ZONE 'UTC' - interval '3 months')
                            AT TIME ZONE 'UTC'
                        """)
                    return (row.text(0, 0), row.timestamp(0, 1))
                }
                var batch = EventBatch()
                for (index, time) in [months.1.microseconds, 1_000_000].enumerated() {
                    batch.append(
                        id: UUID(high: 0, low: UInt64(index)), kind: .view, productID: "p",
                        checkoutID: nil, occurredAt: Timestamp(microseconds: time))
                }
                try await store.append(batch, advances: [])
                let tables = try await pool.withConnection { connection in
                    let rows = try connection.query(
                        "SELECT tableoid::regclass::text FROM conversion.events ORDER BY 1")
                    return (0..<rows.rowCount).map { rows.text($0, 0) }
                }
                #expect(tables == ["conversion.events_\(months.0)", "conversion.events_other"])
                let count = try await pool.withConnection { connection in
                    try connection.query(
                        """
                        SELECT count(*) FROM pg_inherits
                        WHERE inhparent = 'conversion.events'::regclass
                        """
                    ).int(0, 0)
                }
                // Default; this month and two ahead; the events' month and the one after.
                #expect(count == 6)
                await pool.close()
            }
        }
    }

    @Test("are read as soon as what stands beside them, also by who was at it when they were made")
    func attached() async throws {
        try await TestDatabase.with { database in
            try await database.withStore { store in
                let day = Timestamp(microseconds: 86_400_000_000)
                let now = try await store.read([]).dataAsOf.microseconds
                let times = (1...110).map { now - Int64(111 - $0) * 30 * day.microseconds }
                // A time alone is read from events, its whole day from totals and deltas.
                let pairs = times.map { time in
                    let start = time - time % day.microseconds
                    return [(time, time + 1), (start, start + day.microseconds)].map {
                        ConversionQuery(
                            productID: "p", start: Timestamp(microseconds: $0),
                            end: Timestamp(microseconds: $1))
                    }
                }
                let isDone = Flag()
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<3 {
                        group.addTask {
                            while !isDone.isRaised {
                                let counts = try await store.read(pairs.flatMap(\.self)).counts
                                for index in stride(from: 0, to: counts.count, by: 2) {
                                    try #require(
                                        counts[index] == counts[index + 1], "month \(index / 2)")
                                }
                            }
                        }
                    }
                    defer { isDone.raise() }
                    for (index, time) in times.enumerated() {
                        var batch = EventBatch()
                        batch.append(
                            id: UUID(high: 0, low: UInt64(index)), kind: .view, productID: "p",
                            checkoutID: nil, occurredAt: Timestamp(microseconds: time))
                        try await store.append(batch, advances: [])
                    }
                    isDone.raise()
                    try await group.waitForAll()
                }
            }
        }
    }

    @Test("give way to the default one when a month can have none any more")
    func lateMonth() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            let store = PostgresReportStore(pool: pool)
            try await store.migrate()
            try await pool.withConnection { connection in
                try connection.run(
                    """
                    INSERT INTO conversion.events (occurred_at, event_id, kind, product_id)
                    VALUES (now() - interval '100 days', gen_random_uuid(), 'V', 'p')
                    """)
            }
            let time = Timestamp(
                microseconds: try await pool.withConnection {
                    try $0.query("SELECT now() - interval '100 days'").timestamp(0, 0).microseconds
                })
            var batch = EventBatch()
            batch.append(
                id: UUID(high: 0, low: 1), kind: .view, productID: "p", checkoutID: nil,
                occurredAt: time)
            try await store.append(batch, advances: [])
            let count = try await pool.withConnection {
                try $0.query("SELECT count(*) FROM conversion.events_other").int(0, 0)
            }
            #expect(count == 2)
            await store.close()
            await pool.close()
        }
    }
}

internal import PipelineCore
internal import Postgres
internal import Synchronization

/// Creates the monthly tables of events: those that arriving events need, and the next one ahead.
///
/// A matter of speed alone: events of a month without a table lie in the default partition, and a
/// month that has events there gets no table any more. Events may carry any date, so the number of
/// tables is bounded.
final class EventPartitions: Sendable {
    /// Months from the store's own that get tables: ten years back (the longest report), one ahead.
    private static let window = -120...12

    private let pool: PostgresPool
    /// Months that need no look any more, whether they have a table or not.
    private let settled = Mutex<Set<CalendarMonth>>([])

    init(pool: PostgresPool) { self.pool = pool }

    /// Makes room for the store's own month and the two after it.
    func prepareAhead() async { await prepare(ahead: 0...2) { [$0] } }

    /// Makes room for the events' months and the ones after them.
    func prepare(for events: EventBatch) async {
        let wanted = months(of: events)
        let known = settled.withLock { $0.isSuperset(of: wanted) }
        if !known { await prepare(ahead: 0...1) { _ in wanted } }
    }

    /// Months of the events, neighbours looked at once.
    private func months(of events: EventBatch) -> Set<CalendarMonth> {
        var months: Set<CalendarMonth> = []
        var day: Int64 = -1
        for row in events.rows where row.occurredAt.microseconds / Timestamp.day != day {
            day = row.occurredAt.microseconds / Timestamp.day
            months.insert(row.occurredAt.month)
        }
        return months
    }

    private func prepare(
        ahead: ClosedRange<Int>,
        _ months: @Sendable (_ current: CalendarMonth) -> Set<CalendarMonth>
    ) async {
        guard let (existing, current) = try? await look() else { return }
        var wanted: Set<CalendarMonth> = []
        for month in months(current) {
            wanted.formUnion(ahead.map { month.advanced(by: $0) })
        }
        for month in wanted.sorted()
        where !existing.contains(month.suffix)
            && Self.window.contains(month.index - current.index)
        {
            await create(month)
        }
        settled.withLock { $0.formUnion(wanted) }
    }

    private func look() async throws -> (existing: Set<String>, current: CalendarMonth) {
        try await pool.withConnection { connection in
            let row = try connection.query(PostgresReportSQL.partitions)
            let names = row.text(0, 0).split(separator: ",").map(String.init)
            return (Set(names), CalendarMonth(index: row.int(0, 1)))
        }
    }

    /// Gives up when another process is first, the default partition has events of the month, or
    /// somebody holds a lock.
    private func create(_ month: CalendarMonth) async {
        try? await pool.withTransaction { connection in
            try connection.run("SET LOCAL lock_timeout = '2s'")
            try connection.query("SELECT pg_advisory_xact_lock($1::bigint)") {
                $0.add(int8: PostgresReportSQL.partitionLock)
            }
            try connection.run(PostgresReportSQL.createPartition(month))
        }
    }
}

extension PostgresConnection {
    /// Advances positions and copies deltas and events, in one message and therefore one
    /// transaction.
    func append(
        _ events: EventBatch, _ advances: [PositionAdvance], of owner: PositionOwner
    ) throws {
        var script: PostgresScript =
            advances.isEmpty ? "" : PostgresReportSQL.advance(advances, of: owner)
        guard !events.isEmpty else { return try run(script) }
        script = "\(script) \(PostgresReportSQL.copyDeltas) \(PostgresReportSQL.copyEvents)"
        let deltas = events.hourDeltas()
        try copy(
            script,
            from: [
                { writer in events.write(deltas, to: writer) },
                { writer in events.write(to: writer) },
            ])
    }
}

extension EventBatch {
    fileprivate func write(_ deltas: [HourDelta], to writer: PostgresWriter) {
        for delta in deltas {
            let row = rows[delta.row]
            writer.row(columns: 5)
            writer.write(timestamptz: delta.bucket)
            writer.write(int8: delta.views)
            writer.write(int8: delta.payments)
            writer.write(utf8: product(of: row))
            writer.write(utf8: checkout(of: row))
        }
    }

    fileprivate func write(to writer: PostgresWriter) {
        for row in rows {
            writer.row(columns: 6)
            writer.write(timestamptz: row.occurredAt)
            writer.write(uuid: row.id)
            writer.write(int4: row.count)
            writer.write(char: row.kind.rawValue)
            writer.write(utf8: product(of: row))
            writer.write(utf8: checkout(of: row))
        }
    }
}

internal import PipelineCore
internal import Postgres

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

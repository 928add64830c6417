internal import PipelineCore

/// Writes rows in the binary format of PostgreSQL's COPY
/// ([file formats](https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4)).
struct BinaryCopy {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) {
        bytes.reserveCapacity(capacity + 32)
        bytes += "PGCOPY\n".utf8
        bytes += [0xFF, 0x0D, 0x0A, 0x00]
        // No flags, no header extension.
        bytes += [0, 0, 0, 0, 0, 0, 0, 0]
    }

    mutating func beginRow(fields: Int16) { put(fields) }

    mutating func end() { put(Int16(-1)) }

    mutating func timestamp(_ value: Timestamp) {
        put(Int32(8))
        // PostgreSQL counts from 2000-01-01.
        put(value.microseconds - 946_684_800_000_000)
    }

    mutating func uuid(_ value: UUID) {
        put(Int32(16))
        put(value.high)
        put(value.low)
    }

    mutating func bigint(_ value: Int64) {
        put(Int32(8))
        put(value)
    }

    mutating func integer(_ value: Int32) {
        put(Int32(4))
        put(value)
    }

    /// The type `"char"`: one byte.
    mutating func char(_ value: UInt8) {
        put(Int32(1))
        bytes.append(value)
    }

    mutating func text(_ value: Bytes) {
        put(Int32(value.count))
        bytes.append(contentsOf: value)
    }

    private mutating func put(_ value: some FixedWidthInteger) {
        var shift = value.bitWidth - 8
        while shift >= 0 {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
            shift -= 8
        }
    }
}

extension EventBatch {
    /// The deltas as rows of `rollup_deltas (bucket, views, payments, product_id, checkout_id)`.
    func copyOfDeltas() -> [UInt8] {
        let deltas = hourDeltas()
        var copy = BinaryCopy(capacity: deltas.count * 80)
        for delta in deltas {
            let row = rows[delta.row]
            copy.beginRow(fields: 5)
            copy.timestamp(delta.bucket)
            copy.bigint(delta.views)
            copy.bigint(delta.payments)
            copy.text(product(of: row))
            copy.text(checkout(of: row))
        }
        copy.end()
        return copy.bytes
    }

    /// The events as rows of `events (occurred_at, event_id, count, kind, product_id, checkout_id)`.
    func copyOfEvents() -> [UInt8] {
        var copy = BinaryCopy(capacity: count * 63 + texts.count)
        for row in rows {
            copy.beginRow(fields: 6)
            copy.timestamp(row.occurredAt)
            copy.uuid(row.id)
            copy.integer(row.count)
            copy.char(row.kind.rawValue)
            copy.text(product(of: row))
            copy.text(checkout(of: row))
        }
        copy.end()
        return copy.bytes
    }
}

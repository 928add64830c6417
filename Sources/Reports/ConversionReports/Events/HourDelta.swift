internal import PipelineCore

/// What a batch of events adds to one hour of one product and checkout.
struct HourDelta: Sendable {
    /// The hour's first instant.
    var bucket: Timestamp
    var views: Int64
    var payments: Int64
    /// A row of the batch with the delta's product and checkout.
    var row: Int
}

extension EventBatch {
    /// The batch summed up by hour, product and checkout, in order of first appearance.
    ///
    /// Texts are compared byte by byte, as the stores compare them: `String` would take two
    /// spellings of "é" for one.
    func hourDeltas() -> [HourDelta] {
        var deltas: [HourDelta] = []
        // Open addressing over the deltas' indices, at most half full.
        var slots = [Int32](repeating: -1, count: tableSize(for: count))
        for index in rows.indices {
            let row = rows[index]
            let bucket = row.occurredAt.startOfHour
            var slot = hash(of: row, bucket: bucket) & (slots.count - 1)
            while slots[slot] >= 0 && !isSame(deltas[Int(slots[slot])], row, bucket) {
                slot = (slot + 1) & (slots.count - 1)
            }
            if slots[slot] < 0 {
                slots[slot] = Int32(deltas.count)
                deltas.append(HourDelta(bucket: bucket, views: 0, payments: 0, row: index))
            }
            switch row.kind {
            case .view: deltas[Int(slots[slot])].views += Int64(row.count)
            case .payment: deltas[Int(slots[slot])].payments += Int64(row.count)
            }
        }
        return deltas
    }

    private func tableSize(for count: Int) -> Int {
        var size = 16
        while size < count * 2 { size *= 2 }
        return size
    }

    private func hash(of row: Row, bucket: Timestamp) -> Int {
        let end = row.textStart + row.productLength + row.checkoutLength
        let texts = Digest(of: texts[row.textStart..<end])
        let hour = UInt64(bitPattern: bucket.microseconds) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: (texts.low ^ hour ^ hour >> 32) >> 1)
    }

    private func isSame(_ delta: HourDelta, _ row: Row, _ bucket: Timestamp) -> Bool {
        let other = rows[delta.row]
        guard delta.bucket == bucket, other.productLength == row.productLength,
            other.checkoutLength == row.checkoutLength
        else { return false }
        for offset in 0..<row.productLength + row.checkoutLength
        where texts[other.textStart + offset] != texts[row.textStart + offset] {
            return false
        }
        return true
    }
}

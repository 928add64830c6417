internal import Batching
internal import PipelineCore

/// Records that wait in memory, and the deliveries that they belong to.
struct HeldRecords: Sendable {
    private struct Held: Sendable {
        var record: Record
        var arrived: Timestamp
        var share: SharedDelivery
    }
    private var waiting: [Held] = []
    /// Chunks without records still move positions: with the next batch.
    private var empty: [(advances: [PositionAdvance], share: SharedDelivery)] = []
    private var advances: [(after: Int, advances: [PositionAdvance])] = []
    private var taken = 0
    var lastFired: Timestamp?
    var isFinished = false

    var count: Int { waiting.count + empty.count }

    var openBatch: OpenBatch {
        OpenBatch(
            count: count, oldest: waiting.first?.arrived, newest: waiting.last?.arrived,
            earliestDeadline: waiting.lazy.compactMap(\.record.deadline).min(),
            lastFired: lastFired)
    }

    mutating func add(_ chunk: Chunk, at now: Timestamp) {
        let share = SharedDelivery(chunk.delivery, parts: max(chunk.records.count, 1))
        if chunk.records.isEmpty { empty.append((chunk.advances, share)) }
        for record in chunk.records {
            waiting.append(Held(record: record, arrived: now, share: share))
        }
        if !chunk.records.isEmpty, !chunk.advances.isEmpty {
            advances.append((taken + waiting.count, chunk.advances))
        }
    }

    /// The next records as one chunk, with the positions of the chunks that are complete in it.
    mutating func take(_ limit: Int) -> Chunk? {
        if count == 0 { return nil }
        let batch = waiting.prefix(limit)
        taken += batch.count
        waiting.removeFirst(batch.count)
        var moved: [PositionAdvance] = []
        var complete = 0
        for entry in advances where entry.after <= taken {
            moved = moved.merging(entry.advances)
            complete += 1
        }
        advances.removeFirst(complete)
        let idle = waiting.isEmpty ? empty : []
        if waiting.isEmpty { empty = [] }
        for entry in idle { moved = moved.merging(entry.advances) }
        let records = batch.enumerated().map { index, held in
            var record = held.record
            record.ordinal = index
            return record
        }
        let delivery = Delivery(
            JoinedDelivery(
                members: batch.map { .init(share: $0.share, ordinal: $0.record.ordinal) },
                idle: idle.map(\.share)))
        return Chunk(records: records, advances: moved, delivery: delivery)
    }
}

extension [PositionAdvance] {
    /// Steps one after the other of the same partition become one.
    fileprivate func merging(_ later: [PositionAdvance]) -> [PositionAdvance] {
        var merged = self
        for step in later {
            let earlier = merged.firstIndex {
                $0.source == step.source && $0.partition == step.partition
            }
            if let earlier { merged[earlier].next = step.next } else { merged.append(step) }
        }
        return merged
    }
}

internal import PipelineCore
internal import Synchronization

/// Appends to the topics of an embedded bus, one transaction for each `send`.
final class EmbeddedProducer: BusProducer {
    /// Bytes of key, payload and headers, as Kafka's default (`message.max.bytes`).
    private static let maxRecordBytes = 1 << 20

    private let bus: EmbeddedBus
    private let turn = Mutex(0)

    init(bus: EmbeddedBus) { self.bus = bus }

    func send(
        _ records: [OutgoingRecord], to topicName: String
    ) async throws -> [Int: PipelineError] {
        let topic = try await bus.topic(topicName)
        var refused: [Int: PipelineError] = [:]
        var parts = [[StoredMessage]](repeating: [], count: topic.partitions.count)
        for (index, record) in records.enumerated() {
            let message = StoredMessage(record)
            if message.byteCount > Self.maxRecordBytes {
                refused[index] = .permanent(
                    .recordTooLarge,
                    "a record of \(message.byteCount) bytes; at most \(Self.maxRecordBytes)")
            } else {
                parts[partition(of: record.key, among: parts.count)].append(message)
            }
        }
        if refused.count == records.count { return refused }
        try await append(parts, to: topic)
        bus.database.topicSignals.send(for: topicName)
        return refused
    }

    func close() async {}

    /// Equal keys share a partition; without a key the partitions take turns.
    private func partition(of key: Bytes?, among count: Int) -> Int {
        guard let key else {
            return turn.withLock { turn in
                turn = (turn + 1) % count
                return turn
            }
        }
        return Int(unsafe Digest(of: key.span.bytes).low % UInt64(count))
    }

    private func append(_ parts: [[StoredMessage]], to topic: EmbeddedTopic) async throws {
        let (clock, retention) = (bus.clock, bus.retention)
        try await bus.database.write { connection in
            let now = clock.timestamp
            for (messages, partition) in zip(parts, topic.partitions) where !messages.isEmpty {
                var log = try PartitionLog(partition, in: connection)
                try log.append(messages, at: now)
                try log.trim(retention, partitions: topic.partitions.count, now: now)
            }
        }
    }
}

/// A message as it is stored.
struct StoredMessage: Sendable {
    var key: Bytes?
    var payload: Bytes
    var isTombstone: Bool
    var headers: [UInt8]?

    init(_ record: OutgoingRecord) {
        key = record.key
        payload = record.payload
        isTombstone = record.isTombstone
        headers = HeaderCoding.encode(record.headers)
    }

    var byteCount: Int { (key?.count ?? 0) + payload.count + (headers?.count ?? 0) }
}

internal import Logging
internal import PipelineCore
internal import Synchronization

/// Delivers to a topic, and waits until the bus has acknowledged.
final class BusPublisher: Sink {
    private let bus: any Bus
    private let topic: String
    private let key: KeyTemplate
    private let partitions: Int?
    private let encoder: (any OutcomeEncoder)?
    private let context: StageContext
    private let producer = Mutex<(any BusProducer)?>(nil)

    init(
        bus: any Bus, topic: String, key: KeyTemplate, partitions: Int?,
        encoder: (any OutcomeEncoder)?, context: StageContext
    ) {
        self.bus = bus
        self.topic = topic
        self.key = key
        self.partitions = partitions
        self.encoder = encoder
        self.context = context
    }

    func deliver(_ chunk: Chunk) async throws {
        let messages = chunk.records.map { record in
            OutgoingRecord(key: key(of: record), payload: record.payload, headers: record.headers)
        }
        let refused = try await opened().send(messages, to: topic)
        try await chunk.delivery.reject(
            refused.sorted { $0.key < $1.key }.map { index, error in
                Rejection(
                    chunk.records[index], stage: context.stage, code: error.code,
                    reason: error.message)
            })
    }

    func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
        var (messages, refused) = try encoder.required(by: context.stage)
            .announcements(batch.outcomes)
        for index in messages.indices where key == .none || key == .recordKey {
            messages[index].record.key = nil
        }
        let refusals = try await opened().send(messages.map(\.record), to: topic)
        refused += refusals.sorted { $0.key < $1.key }.map { index, error in
            OutcomeRefusal(messages[index].outcome, error)
        }
        return refused
    }

    private func key(of record: Record) -> Bytes? {
        switch key {
        case .automatic, .recordKey: record.key
        case .caseID: record.id.map { Array($0.description.utf8)[...] } ?? record.key
        case .none: nil
        }
    }

    private func opened() async throws -> any BusProducer {
        if let open = producer.withLock({ $0 }) { return open }
        try await bus.ensureTopic(topic, partitions: partitions)
        let new = try await bus.producer()
        return producer.withLock { held in
            held = held ?? new
            return held ?? new
        }
    }

    func close() async { await producer.withLock { $0 }?.close() }
}

internal import Logging
internal import PipelineCore
internal import Synchronization

/// Delivers to a topic, and waits until the bus has acknowledged.
final class BusPublisher: Sink {
    private let key: KeyTemplate
    private let encoder: (any OutcomeEncoder)?
    private let context: StageContext
    private let producer: TopicProducer
    /// Whether the bus has ever taken something.
    private let hasWorked = Mutex(false)

    init(
        bus: any Bus, topic: String, key: KeyTemplate, partitions: Int?,
        encoder: (any OutcomeEncoder)?, context: StageContext
    ) {
        producer = TopicProducer(bus: bus, topic: topic, partitions: partitions)
        self.key = key
        self.encoder = encoder
        self.context = context
    }

    func deliver(_ chunk: Chunk) async throws {
        let messages = chunk.records.map { record in
            OutgoingRecord(
                key: key(of: record), payload: record.payload, isTombstone: record.isTombstone,
                headers: record.headers)
        }
        let refused = try await producer.send(messages)
        try await chunk.acknowledgement.reject(
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
        let refusals = try await send(messages.map(\.record))
        refused += refusals.sorted { $0.key < $1.key }.map { index, error in
            OutcomeRefusal(messages[index].outcome, error)
        }
        return refused
    }

    /// What ends a run at its start, a wrong password, say, is waited out later; and a topic that can't be written to
    /// never ends one.
    private func send(_ records: [OutgoingRecord]) async throws -> [Int: PipelineError] {
        do {
            let refused = try await producer.send(records)
            hasWorked.withLock { $0 = true }
            return refused
        } catch let error as PipelineError
            where error.disposition == .fatal
            && (hasWorked.withLock { $0 } || error.code != "bus-authentication")
        {
            throw PipelineError.permanent(error.code, error.message, cause: error)
        }
    }

    private func key(of record: Record) -> Bytes? {
        switch key {
        case .automatic, .recordKey: record.key
        case .caseID: record.id.map { Array($0.description.utf8)[...] } ?? record.key
        case .none: nil
        }
    }

    func close() async { await producer.close() }
}

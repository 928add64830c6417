internal import PipelineCore
internal import Synchronization

/// Delivers records to a topic, and waits until the bus has acknowledged.
struct TopicRecordSink: RecordSink {
    let producer: TopicProducer
    let key: KeyTemplate
    let stage: String

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
                    chunk.records[index], stage: stage, code: error.code, reason: error.message)
            })
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

/// Announces outcomes in a topic, and waits until the bus has acknowledged.
final class TopicOutcomeSink: OutcomeSink {
    private let producer: TopicProducer
    private let key: KeyTemplate
    private let encoder: any OutcomeEncoder
    /// Whether the bus has ever taken something.
    private let hasWorked = Mutex(false)

    init(producer: TopicProducer, key: KeyTemplate, encoder: any OutcomeEncoder) {
        self.producer = producer
        self.key = key
        self.encoder = encoder
    }

    func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
        var (messages, refused) = try encoder.announcements(batch.outcomes)
        for index in messages.indices where key == .none || key == .recordKey {
            messages[index].record.key = nil
        }
        let refusals = try await send(messages.map(\.record))
        refused += refusals.sorted { $0.key < $1.key }.map { index, error in
            OutcomeRefusal(messages[index].outcome, error)
        }
        return refused
    }

    /// What ends a run at its start, a wrong password, say, is waited out later; and a topic that
    /// can't be written to never ends one.
    private func send(_ records: [OutgoingRecord]) async throws -> [Int: PipelineError] {
        do {
            let refused = try await producer.send(records)
            hasWorked.withLock { $0 = true }
            return refused
        } catch let error as PipelineError
            where error.disposition == .fatal
            && (hasWorked.withLock { $0 } || error.code != .busAuthentication)
        {
            throw PipelineError.permanent(error.code, error.message, cause: error)
        }
    }

    func close() async { await producer.close() }
}

/// Writes a line a record to a file or to standard output.
struct LineRecordSink: RecordSink {
    let lines: any LineOutput

    func deliver(_ chunk: Chunk) async throws {
        try await lines.append(
            chunk.records.map { OutgoingRecord(key: $0.key, payload: $0.payload) })
    }

    func close() async { await lines.close() }
}

/// Announces outcomes by lines of a file or of standard output.
struct LineOutcomeSink: OutcomeSink {
    let lines: any LineOutput
    let encoder: any OutcomeEncoder

    func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
        let (lines, refused) = try encoder.announcements(batch.outcomes)
        try await self.lines.append(lines.map(\.record))
        return refused
    }

    func close() async { await lines.close() }
}

extension OutcomeEncoder {
    /// The announcements of a batch, in the outcomes' order; and the outcomes that can't be
    /// rendered.
    fileprivate func announcements(
        _ outcomes: [Outcome]
    ) throws -> (records: [(outcome: Outcome, record: OutgoingRecord)], refused: [OutcomeRefusal]) {
        var records: [(outcome: Outcome, record: OutgoingRecord)] = []
        records.reserveCapacity(outcomes.count)
        var refused: [OutcomeRefusal] = []
        for outcome in outcomes {
            do {
                records.append((outcome, try announcement(outcome)))
            } catch let error as PipelineError where error.disposition == .permanent {
                refused.append(OutcomeRefusal(outcome, error))
            }
        }
        return (records, refused)
    }
}

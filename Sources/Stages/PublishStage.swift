public import ConfigurationDiagnostics
public import ConfigurationFields
public import PipelineCore
internal import Synchronization

/// `publish`: delivers records or announces outcomes to a topic, a store, a file or standard
/// output, or by calls to a webhook.
public struct PublishStage: StagePlugin {
    public static let type = "publish"
    public static let role = StageRole.sink
    public static let summary =
        "Announces outcomes, or delivers records, to a topic, store, webhook, file or standard output."
    public static var codes: [Diagnostic.Code] { [.unknownCodec, .unusedSetting] }
    public static let remarks = StageRemarks(delivered: "published")
    public static let guarantee = """
        At least once, with a durable mark of its own per batch: a repeat of an announcement has \
        the same event id and the same bytes. To a store, records and the positions of their \
        inputs are written in one transaction: exactly once. A webhook is called once for each \
        outcome, under the outcome's id, and again until the receiver has answered.
        """

    private let to: ResourceName
    private let topic: TopicName?
    private let key: KeyTemplate
    private let codec: String
    private let create: TopicCreation?

    public init(_ field: Fields) {
        to = field("to", "Where to deliver.", example: "bus")
        topic = field.optional(
            "topic", "The topic, for a bus.", example: TopicName("report-ready"))
        key = field(
            "key",
            "The message's key: `case_id` for an outcome, `record_key` for what came in, or none.",
            default: .automatic, example: .caseID)
        codec = field(
            "codec", "How outcomes are rendered.", default: "report-ready",
            example: "report-ready")
        create = field.optionalNested("create", "Creates the topic if it is not there.")
    }

    public func contract(in catalogue: Catalogue) -> StageContract {
        var contract = StageContract(uses: [use]) { input in
            switch input {
            case nil: .refuses("a publish stands behind an ingest")
            case .batches?: .refuses("a sealed batch has to be answered by a generate first")
            case let input?: .yields(input)
            }
        }
        if topic == nil, create != nil {
            contract.objections.append(
                .unusedSetting("create", "without a \"topic\" there is none to create"))
        }
        let objection = StageContract.Objection.unknownCodec(
            codec, "to render outcomes with", in: catalogue
        ) { $0.encoder != nil }
        if let objection { contract.objections.append(objection) }
        return contract
    }

    private var use: ResourceUse {
        guard let topic else {
            return ResourceUse(
                "to", to, .writes(rows: .events), hint: "a bus takes records under a \"topic\"")
        }
        return ResourceUse(
            "to", to,
            .topic(
                TopicUse(
                    "topic",
                    TopicNeed(
                        topic.text, .writes,
                        creation: .atFirstMessage(partitions: create?.partitions)))),
            hint: "leave \"topic\" out to publish to something else than a bus")
    }

    public func build(_ context: StageContext) throws -> StageInstance {
        try context.input == .outcomes
            ? .outcomeSink(outcomeSink(context)) : .recordSink(recordSink(context))
    }

    private func recordSink(_ context: StageContext) throws -> any RecordSink {
        if let producer = try producer(context) {
            return TopicRecordSink(producer: producer, key: key, stage: context.stage)
        }
        let kind = try context.kind(of: use)
        if let rows = use.rows(of: kind) {
            return try context.resource(for: use, as: (any RecordStore).self)
                .sink(for: rows, context: context)
        }
        return LineRecordSink(lines: try context.resource(for: use, as: (any LineOutput).self))
    }

    private func outcomeSink(_ context: StageContext) throws -> any OutcomeSink {
        guard let encoder = context.catalogue.codec(codec)?.encoder else {
            throw PipelineError.fatal(
                .unknownCodec,
                "stage \(context.stage): there is no codec \"\(codec)\" to render outcomes with")
        }
        if let producer = try producer(context) {
            return TopicOutcomeSink(producer: producer, key: key, encoder: encoder)
        }
        if try context.kind(of: use) == .webhook {
            return WebhookOutcomeSink(
                endpoint: try context.resource(for: use, as: (any WebhookEndpoint).self),
                encoder: encoder)
        }
        return LineOutcomeSink(
            lines: try context.resource(for: use, as: (any LineOutput).self), encoder: encoder)
    }

    /// `nil` without a topic.
    private func producer(_ context: StageContext) throws -> TopicProducer? {
        try topic.map { topic in
            TopicProducer(
                bus: try context.resource(for: use, as: (any Bus).self), topic: topic.text,
                partitions: create?.partitions)
        }
    }
}

/// What becomes a message's key.
enum KeyTemplate: String, Choice {
    case automatic
    case caseID = "case_id"
    case recordKey = "record_key"
    case none
}

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
    func announcements(
        _ outcomes: [Outcome]
    ) throws -> (records: [(outcome: Outcome, record: OutgoingRecord)], refused: [OutcomeRefusal]) {
        var records: [(outcome: Outcome, record: OutgoingRecord)] = []
        records.reserveCapacity(outcomes.count)
        var refused: [OutcomeRefusal] = []
        for outcome in outcomes {
            do {
                var record = try announcement(outcome)
                if let trace = outcome.trace { record.headers.append(trace.header) }
                records.append((outcome, record))
            } catch let error as PipelineError where error.disposition == .permanent {
                refused.append(OutcomeRefusal(outcome, error))
            }
        }
        return (records, refused)
    }
}

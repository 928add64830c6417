public import ConfigurationDiagnostics
public import ConfigurationFields
public import PipelineCore

/// `publish`: delivers records or announces outcomes to a topic, a store, a file or standard output.
public struct PublishStage: StagePlugin {
    public static let type = "publish"
    public static let role = StageRole.sink
    public static let summary =
        "Announces outcomes, or delivers records, to a topic, a store, a file or standard output."
    public static var codes: [Diagnostic.Code] { [.unknownCodec, .unusedSetting] }
    public static let remarks = StageRemarks(delivered: "published")
    public static let guarantee = """
        At least once, with a durable mark of its own per batch: a repeat of an announcement has the same event id and \
        the same bytes. To a store, records and the positions of their inputs are written in one transaction: exactly once.
        """

    let to: ResourceName
    let topic: TopicName?
    let key: KeyTemplate
    let codec: String
    let create: TopicCreation?

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

public import PipelineCore
public import Specification

/// `publish`: delivers records or announces outcomes to a topic, a store, a file or standard output.
public struct PublishStage: StagePlugin {
    public static let type = "publish"
    public static let role = StageRole.sink
    public static let summary =
        "Announces outcomes, or delivers records, to a topic, a store, a file or standard output."
    public static var codes: [Diagnostic.Code] { [.unknownCodec, .unusedSetting] }
    public static let guarantee = """
        At least once, with a durable mark of its own per batch: a repeat of an announcement has the same event id and \
        the same bytes. To a store, records and the positions of their inputs are written in one transaction: exactly once.
        """

    let to: ResourceName
    let topic: String?
    let key: KeyTemplate
    let codec: String
    let create: TopicCreation?

    public init(_ field: Fields) {
        to = field("to", "Where to deliver.", example: "bus")
        topic =
            field.optional(
                "topic", "The topic, for a bus.", example: TopicName("report-ready"))?.text
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
        var contract = StageContract(resources: [use]) { input in
            switch input {
            case nil: .refuses("a publish stands behind an ingest")
            case .batches?: .refuses("a sealed batch has to be answered by a generate first")
            case let input?: .yields(input)
            }
        }
        if let topic {
            contract.topics = [
                .init(field: "topic", resource: to, topic: topic, direction: .writes)
            ]
        } else if create != nil {
            contract.objections.append(
                .unusedSetting("create", "without a \"topic\" there is none to create"))
        }
        contract.needs = { [need] _, _ in [need] }
        let objection = StageContract.Objection.unknownCodec(
            codec, "to render outcomes with", in: catalogue
        ) { $0.encoder != nil }
        if let objection { contract.objections.append(objection) }
        return contract
    }

    private var need: StageContract.Need {
        guard let topic else { return .init(to, .writing) }
        return .init(
            to,
            .topic(
                TopicNeed(
                    topic.text, .writes, creation: .atFirstMessage(partitions: create?.partitions)))
        )
    }

    private var use: StageContract.ResourceUse {
        topic == nil
            ? .init(
                field: "to", name: to, kinds: [.store, .lines], takes: [.store: .events],
                hint: "a bus takes records under a \"topic\"")
            : .init(
                field: "to", name: to, kinds: [.bus],
                hint: "leave \"topic\" out to publish to something else than a bus")
    }

    public func build(_ context: StageContext) throws -> StageInstance {
        let encoder = context.catalogue.codec(codec)?.encoder
        switch try context.resource(to, as: (any Resource).self) {
        case let bus as any Bus where topic != nil:
            return .sink(
                BusPublisher(
                    bus: bus, topic: topic ?? "", key: key, partitions: create?.partitions,
                    encoder: encoder, context: context))
        case let lines as any LineOutput:
            return .sink(LinePublisher(lines: lines, encoder: encoder, stage: context.stage))
        case let store as any RecordStore:
            return .sink(try store.sink(for: .events, context: context))
        case let other:
            throw PipelineError.fatal(
                "wrong-resource",
                "stage \(context.stage): nothing can be published to \"\(to.text)\""
                    + (other is any Bus ? " without a \"topic\"" : ""))
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

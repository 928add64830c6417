internal import PipelineCore
internal import Specification

/// One of an ingest's inputs.
struct IngestInput: Settings {
    enum Start: String, Choice { case earliest, latest }
    enum OnNewTopic: String, Choice {
        case stop
        case fromStart = "from_start"
    }

    static let summary = "An input: a topic of a bus, an API, a file or standard input."

    let resource: ResourceName
    let topic: String?
    let group: String?
    let start: Start
    let onNewTopic: OnNewTopic
    let maxChunk: Int
    let create: TopicCreation?

    init(_ field: Fields) {
        resource = field("resource", "What to read.", example: "bus")
        topic =
            field.optional(
                "topic", "The topic, for a bus.", example: TopicName("report-requests"))?.text
        group = field.optional(
            "group", "The consumer group; the pipeline's name and the stage's id otherwise.",
            example: "penstock"
        ) { $0.isEmpty ? "names no group; leave it out" : nil }
        start = field(
            "start",
            "Where to begin in a partition that has no stored position; one that the topic gets later is "
                + "such a one.",
            default: .earliest)
        onNewTopic = field(
            "on_new_topic",
            "What to do when the topic was made anew under its name: read nothing of it, or read it from its start. What "
                + "it holds of the old one comes again then: requests are known by their ids, events count once more.",
            default: .stop)
        maxChunk = field(
            "max_chunk", "Most records handed on at once.", unit: "records", default: 512,
            in: 1...10_000)
        create = field.optionalNested("create", "Creates the topic if it is not there.")
    }

    /// A topic that was not asked to be created is waited for; refused records get theirs when there are any.
    var needs: [StageContract.Need] {
        guard let topic else { return [.init(resource, .reading)] }
        let creation = create.map { TopicNeed.Creation.atStart(partitions: $0.partitions) }
        return [
            .init(resource, .topic(TopicNeed(topic.text, .reads, creation: creation ?? .never))),
            .init(
                resource,
                .topic(
                    TopicNeed(
                        DeadLetter.topic(of: topic.text), .writes,
                        creation: .atFirstMessage(partitions: create?.partitions)))),
        ]
    }

    /// Adds what this input needs of its resource.
    ///
    /// - Parameter field: where it stands below its stage, `from[0]`.
    func declare(at field: String, in contract: inout StageContract) {
        guard let topic else {
            contract.resources.append(
                .init(
                    field: "\(field).resource", name: resource, kinds: [.api, .lines],
                    hint: "a bus is read by a \"topic\""))
            for (key, isGiven) in [("group", group != nil), ("create", create != nil)] where isGiven
            {
                contract.objections.append(
                    .unusedSetting("\(field).\(key)", "without a \"topic\" nothing reads it"))
            }
            return
        }
        contract.resources.append(
            .init(
                field: "\(field).resource", name: resource, kinds: [.bus],
                hint: "leave \"topic\" out to read something else than a bus"))
        contract.topics.append(
            .init(
                field: "\(field).topic", resource: resource, topic: topic,
                direction: .reads, beginsAnew: onNewTopic == .fromStart))
    }

    /// `nil` for a front door that this process keeps shut.
    ///
    /// - Parameter file: where dead letters go that their topic does not take, in a chain without a store.
    func source(
        _ decoder: (any RecordDecoder)?, deadLettersIn file: String, _ context: StageContext
    ) throws -> (any Source)? {
        let found = try context.resource(resource, as: (any Resource).self)
        let intake = Intake(decoder: decoder, context: context)
        let place =
            context.deadLetters == nil
            ? try DeadLetterLines(path: file, context: context) : nil
        switch found {
        case let bus as any Bus where topic != nil:
            return BusSource(
                bus: bus, resource: resource.text,
                subscription: Subscription(
                    topic: topic ?? "",
                    group: group ?? "\(context.pipeline).\(context.stage)",
                    start: start == .latest ? .latest : .earliest,
                    onNewTopic: onNewTopic == .fromStart ? .fromStart : .stop,
                    maxRecords: maxChunk),
                create: create?.partitions, intake: intake, file: place)
        case let service as any RequestService:
            guard context.servesCallers else { return nil }
            let gate = RequestGate(name: resource.text, maxChunk: maxChunk, intake: intake)
            try service.attach(gate, reads: context.reads)
            return gate
        case let lines as any LineInput:
            return LineSource(
                lines: lines, resource: resource.text, maxChunk: maxChunk, intake: intake,
                file: place)
        default:
            throw PipelineError.fatal(
                "wrong-resource",
                "stage \(context.stage): \"\(resource.text)\" can't be read"
                    + (found is any Bus ? " without a \"topic\"" : ""))
        }
    }
}

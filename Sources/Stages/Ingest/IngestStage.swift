public import ConfigurationDiagnostics
public import ConfigurationFields
public import PipelineCore

/// `ingest`: reads records from topics, callers, files and standard input.
public struct IngestStage: DecodingStage {
    public static let type = "ingest"
    public static let role = StageRole.source
    public static let summary =
        "Reads records from topics, callers, files and standard input, and decodes them."
    public static var codes: [Diagnostic.Code] { [.unknownCodec, .unusedSetting] }
    public static let guarantee = """
        Reads on from the positions that the settling stage has stored, so that nothing is lost \
        and nothing is taken in twice. A topic that was made anew under its name is not read on: \
        see `on_new_topic`; a file that was replaced is read from its start. A record that can't \
        be decoded goes to `<topic>.dead-letters` (a file: `<file>.dead-letters`; a caller: the \
        error reply); its chunk goes on. What that topic or file does not take is kept in the \
        chain's store (see `penstock dead-letters`), without one in a file; only if nothing takes \
        it does its partition rest.
        """

    public let codec: String
    private let from: [IngestInput]
    private let deadLetterFile: String?

    public init(_ field: Fields) {
        codec = field(
            "codec", "How payloads are read; `raw` leaves them as they are.", default: "raw",
            example: "report-request")
        from = field.list("from", "The inputs, read side by side.", count: 1...32)
        deadLetterFile = field.optional(
            "dead_letter_file",
            "Where refused records go that their topic, or their file's own, does not take, in a chain without a store; "
                + "data/PIPELINE.STAGE.dead-letters otherwise.",
            example: "data/refused.jsonl"
        ) { $0.isEmpty ? "names no file; leave it out" : nil }
    }

    public func contract(in catalogue: Catalogue) -> StageContract {
        var contract = StageContract { [yields] input in
            if let input { return .refuses("an ingest stands first; \(input) can't go in") }
            return .yields(yields(catalogue))
        }
        contract.rejectionCodes = catalogue.codec(codec)?.decoder?.rejectionCodes ?? []
        contract.uses = uses.map(\.use)
        if let address = deadLetterFile.flatMap({ ResourceAddress(url: "file:\($0)") }),
            let place = catalogue.connector("file")?.place(address)
        {
            contract.files = [.init(field: "dead_letter_file", address: address, place: place)]
        }
        contract.objections = uses.flatMap { input, use in input.objections(besides: use) }
        let objection = StageContract.Objection.unknownCodec(
            codec, "to read with", in: catalogue
        ) { $0.yields != nil }
        if let objection { contract.objections.append(objection) }
        return contract
    }

    private var uses: [(input: IngestInput, use: ResourceUse)] {
        from.enumerated().map { index, input in (input, input.use(at: "from[\(index)]")) }
    }

    private func yields(_ catalogue: Catalogue) -> RecordKind {
        catalogue.codec(codec)?.yields ?? .bytes
    }

    public func build(_ context: StageContext) throws -> StageInstance {
        let decoder = context.catalogue.codec(codec)?.decoder
        let file = deadLetterFile ?? "data/\(context.pipeline).\(context.stage).dead-letters"
        return .source(
            try uses.compactMap { input, use in
                try input.source(use, decoder, deadLettersIn: file, context)
            })
    }
}

/// One of an ingest's inputs.
private struct IngestInput: Settings {
    enum Start: String, Choice { case earliest, latest }
    private enum OnNewTopic: String, Choice {
        case stop
        case fromStart = "from_start"
    }

    static let summary = "An input: a topic of a bus, an API, a file or standard input."

    private let resource: ResourceName
    private let topic: TopicName?
    private let group: String?
    let start: Start
    private let onNewTopic: OnNewTopic
    private let maxChunk: Int
    private let create: TopicCreation?

    init(_ field: Fields) {
        resource = field("resource", "What to read.", example: "bus")
        topic = field.optional(
            "topic", "The topic, for a bus.", example: TopicName("report-requests"))
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

    /// What the input does with its resource. A topic that was not asked to be created is waited
    /// for; refused records get theirs when there are any.
    ///
    /// - Parameter field: where the input stands below its stage, `from[0]`.
    func use(at field: String) -> ResourceUse {
        guard let topic else {
            return ResourceUse(
                "\(field).resource", resource, .reads, hint: "a bus is read by a \"topic\"")
        }
        return ResourceUse(
            "\(field).resource", resource,
            .topic(
                TopicUse(
                    "\(field).topic",
                    TopicNeed(
                        topic.text, .reads,
                        creation: create.map { .atStart(partitions: $0.partitions) } ?? .never),
                    deadLetters: TopicNeed(
                        DeadLetter.topic(of: topic.text), .writes,
                        creation: .atFirstMessage(partitions: create?.partitions)),
                    beginsAnew: onNewTopic == .fromStart)),
            hint: "leave \"topic\" out to read something else than a bus")
    }

    /// What is said of a topic where there is none.
    func objections(besides use: ResourceUse) -> [StageContract.Objection] {
        if use.topic != nil { return [] }
        let input = use.field.dropLast("resource".count)
        return [("group", group != nil), ("create", create != nil)].filter(\.1).map {
            .unusedSetting("\(input)\($0.0)", "without a \"topic\" nothing reads it")
        }
    }

    /// `nil` for a request service that this process does not run.
    ///
    /// - Parameter file: where dead letters go that their topic does not take, in a chain without a
    ///   store.
    func source(
        _ use: ResourceUse, _ decoder: (any RecordDecoder)?, deadLettersIn file: String,
        _ context: StageContext
    ) throws -> (any Source)? {
        let intake = Intake(decoder: decoder, context: context)
        let place =
            context.deadLetters == nil
            ? try DeadLetterLines(path: file, context: context) : nil
        if let topic = use.topic {
            return BusSource(
                bus: try context.resource(for: use, as: (any Bus).self), resource: resource.text,
                subscription: Subscription(
                    topic: topic.name,
                    group: group ?? "\(context.pipeline).\(context.stage)",
                    start: start == .latest ? .latest : .earliest,
                    onNewTopic: onNewTopic == .fromStart ? .fromStart : .stop,
                    maxRecords: maxChunk),
                create: create?.partitions, intake: intake, file: place)
        }
        if try context.kind(of: use) == .api {
            guard context.servesCallers else { return nil }
            let service = try context.resource(for: use, as: (any RequestService).self)
            let queue = RequestQueue(maxChunk: maxChunk, intake: intake)
            try service.attach(queue, reads: context.reads)
            return queue
        }
        let lines = try context.resource(for: use, as: (any LineInput).self)
        return LineSource(
            lines: lines, resource: resource.text, maxChunk: maxChunk, intake: intake, file: place)
    }
}

/// Makes chunks of what inputs have read: decodes, and refuses what can't be decoded.
struct Intake: Sendable {
    let decoder: (any RecordDecoder)?
    let context: StageContext

    /// The acknowledgement for what an input has read: what is refused of it is counted.
    func acknowledgement(_ handler: any AcknowledgementHandler) -> Acknowledgement {
        Acknowledgement(handler, refusals: context.refusals)
    }

    /// Hands the records on, except those that are refused; a chunk without records still moves its
    /// positions.
    func send(
        _ records: [Record], advances: [PositionAdvance], acknowledgement: Acknowledgement,
        into outlet: Outlet
    ) async throws {
        var records = records
        if let decoder {
            let refused = decoder.decode(
                &records, stage: context.stage, now: context.clock.timestamp)
            try await acknowledgement.reject(refused)
        }
        try await outlet.send(
            Chunk(records: records, advances: advances, acknowledgement: acknowledgement))
    }

    /// Whether the record can be decoded; one that nothing has to decode always can.
    func canRead(_ record: Record) -> Bool {
        var records = [record]
        let refused = decoder?.decode(
            &records, stage: context.stage, now: context.clock.timestamp)
        return refused?.isEmpty ?? true
    }
}

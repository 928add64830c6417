public import PipelineCore
public import Specification

/// `ingest`: reads records from topics, callers, files and standard input.
public struct IngestStage: StagePlugin {
    public static let type = "ingest"
    public static let role = StageRole.source
    public static let summary =
        "Reads records from topics, callers, files and standard input, and decodes them."
    public static var codes: [Diagnostic.Code] { [.unknownCodec, .unusedSetting] }
    public static let guarantee = """
        Reads on from the positions that the settling stage has stored, so that nothing is lost and nothing is taken in \
        twice. A topic that was made anew under its name is not read on: see `on_new_topic`; a file that was replaced is \
        read from its start. A record that can't be decoded goes to `<topic>.dead-letters` (a file: `<file>.dead-letters`; a caller: \
        the error reply); its chunk goes on. What that topic or file does not take is kept in the chain's store (see \
        `penstock dead-letters`), without one in a file; only if nothing takes it does its partition rest.
        """

    let codec: String
    let from: [IngestInput]
    let deadLetterFile: String?

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
        contract.codec = codec
        contract.rejectionCodes = catalogue.codec(codec)?.decoder?.rejectionCodes ?? []
        for (index, input) in from.enumerated() {
            input.declare(at: "from[\(index)]", in: &contract)
        }
        if let address = deadLetterFile.flatMap({ ResourceAddress(url: "file:\($0)") }),
            let place = catalogue.connector("file")?.place(address)
        {
            contract.files = [.init(field: "dead_letter_file", address: address, place: place)]
        }
        contract.needs = { [from] _, _ in from.flatMap(\.needs) }
        let objection = StageContract.Objection.unknownCodec(
            codec, "to read with", in: catalogue
        ) { $0.yields != nil }
        if let objection { contract.objections.append(objection) }
        return contract
    }

    private func yields(_ catalogue: Catalogue) -> RecordKind {
        catalogue.codec(codec)?.yields ?? .bytes
    }

    public func build(_ context: StageContext) throws -> StageInstance {
        let decoder = context.catalogue.codec(codec)?.decoder
        let file = deadLetterFile ?? "data/\(context.pipeline).\(context.stage).dead-letters"
        return .source(
            try from.compactMap { try $0.source(decoder, deadLettersIn: file, context) })
    }
}

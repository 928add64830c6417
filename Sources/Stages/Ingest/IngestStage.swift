public import PipelineCore
public import Specification

/// `ingest`: reads records from topics, callers, files and standard input.
public struct IngestStage: StagePlugin {
    public static let type = "ingest"
    public static let role = StageRole.source
    public static let summary =
        "Reads records from topics, callers, files and standard input, and decodes them."
    public static let guarantee = """
        Reads on from the positions that the settling stage has stored, so that nothing is lost and nothing is taken in \
        twice. A record that can't be decoded goes to `<topic>.dead-letters` (a file: `<file>.dead-letters`; a caller: \
        the error reply); its chunk goes on.
        """

    let codec: String
    let from: [IngestInput]

    public init(_ field: Fields) {
        codec = field(
            "codec", "How payloads are read; `raw` leaves them as they are.", default: "raw",
            example: "report-request")
        from = field.list("from", "The inputs, read side by side.", count: 1...32)
    }

    public func contract(in catalogue: Catalogue) -> StageContract {
        var contract = StageContract { [yields] input in
            if let input { return .refuses("an ingest stands first; \(input) can't go in") }
            return .yields(yields(catalogue))
        }
        contract.codec = codec
        for (index, input) in from.enumerated() {
            contract.resources.append(
                .init(
                    field: "from[\(index)].resource", name: input.resource,
                    kinds: [.bus, .api, .lines]))
            if let topic = input.topic {
                contract.topics.append(
                    .init(
                        field: "from[\(index)].topic", resource: input.resource, topic: topic,
                        direction: .reads))
            }
        }
        contract.needs = { [from] _, _ in from.flatMap(\.needs) }
        let names = catalogue.codecs.filter { $0.yields != nil }.map(\.name)
        if !names.contains(codec) {
            contract.objections.append(
                .init(
                    field: "codec", code: "unknown-codec",
                    "there is no codec \"\(codec)\" to read with",
                    hint: Suggestion.hint(for: codec, among: names)))
        }
        return contract
    }

    private func yields(_ catalogue: Catalogue) -> RecordKind {
        catalogue.codec(codec)?.yields ?? .bytes
    }

    public func build(_ context: StageContext) throws -> StageInstance {
        let decoder = context.catalogue.codec(codec)?.decoder
        return .source(try from.compactMap { try $0.source(decoder, context) })
    }
}

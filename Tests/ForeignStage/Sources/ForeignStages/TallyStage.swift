public import ConfigurationFields
public import LocatedJSON
public import PipelineCore

/// `tally`: writes how many records came in, and how many bytes, a line for each chunk.
public struct TallyStage: StagePlugin {
    public static let type = "tally"
    public static let role = StageRole.sink
    public static let summary = "Counts the records of each chunk, in a file or on standard output."
    public static let guarantee = "At least once: a chunk that is read again is counted again."
    public static let remarks = StageRemarks(delivered: "counted")

    let to: ResourceName

    public init(_ field: Fields) {
        to = field("to", "Where the lines go.", example: "counts")
    }

    private var use: ResourceUse { ResourceUse("to", to, .writes(rows: nil)) }

    public func contract(in catalogue: Catalogue) -> StageContract {
        StageContract(uses: [use]) { input in
            switch input {
            case nil: .refuses("a tally stands behind an ingest")
            case .batches?, .outcomes?: .refuses("a tally counts single records")
            case let input?: .yields(input)
            }
        }
    }

    public func build(_ context: StageContext) throws -> StageInstance {
        .recordSink(Tally(lines: try context.resource(for: use, as: (any LineOutput).self)))
    }
}

struct Tally: RecordSink {
    let lines: any LineOutput

    func deliver(_ chunk: Chunk) async throws {
        if chunk.records.isEmpty { return }
        let line: JSON = [
            "records": .number(chunk.records.count),
            "bytes": .number(chunk.records.reduce(0) { $0 + $1.payload.count }),
        ]
        let payload = Array(line.written(.compact).utf8)[...]
        try await lines.append([OutgoingRecord(key: nil, payload: payload)])
    }
}

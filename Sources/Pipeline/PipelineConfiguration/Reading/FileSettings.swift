internal import PipelineCore
internal import Specification

/// The root of a pipeline file, without its resources and stages.
struct HeaderSettings: Settings {
    static let summary = "A pipeline: a chain of stages, and the connections they use."
    static let currentVersion = 1
    /// Keys of the root that are read elsewhere.
    static let others = ["resources", "stages"]

    let schema: String?
    let version: Int
    let name: Identifier
    let sla: Duration

    init(_ field: Fields) {
        schema = field.optional(
            "$schema", "The schema that editors check the file by.",
            example: "./pipeline.schema.json")
        version = field("version", "The version of this format.", example: Self.currentVersion) {
            $0 == Self.currentVersion
                ? nil : "is a version this program does not read; it reads \(Self.currentVersion)"
        }
        name = field(
            "name", "The pipeline's name, which its consumer groups and its ledger carry.",
            example: Identifier("conversion-reports"))
        sla = field(
            "sla", "How long a case may wait for its answer.", default: .hours(24),
            in: .seconds(1)...)
    }
}

/// An entry of `resources`.
struct ResourceSettings: Settings {
    static let summary = "A connection that stages refer to by its name."

    let url: String
    let properties: [String: String]

    init(_ field: Fields) {
        url = field(
            "url", "Where it is; the scheme picks the connector.",
            example: "embedded:data/penstock.sqlite")
        properties = field.properties(
            "Properties of the connector, passed through.", example: ["security.protocol": "ssl"])
    }
}

/// What every entry of `stages` has, whatever its type.
struct StageHead: Settings {
    static let summary = "A stage of the chain."
    static let keys = ["id", "type"]

    let id: Identifier
    let type: String

    init(_ field: Fields) {
        id = field(
            "id", "The stage's name, unique in the file; it owns the stage's state.",
            example: Identifier("requests"))
        type = field("type", "What the stage is.", example: "ingest")
    }
}

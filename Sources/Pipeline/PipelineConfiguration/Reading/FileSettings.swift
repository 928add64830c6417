internal import ConfigurationFields
internal import LocatedJSON
internal import PipelineCore

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

/// The name of a pipeline, a stage or a resource: it ends up in topic groups, tables and metrics.
struct Identifier: TextValue, Hashable {
    static let kind = "name"
    static let schema: JSON = ["type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"]

    let text: String

    init(_ text: String) { self.text = text }

    init(parsing text: String) throws(Refusal) {
        let isValid =
            (1...63).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            } && text.first?.isLetter == true
        guard isValid else {
            throw Refusal(
                .invalidValue, "is not a name",
                hint: "a name has 1 to 63 lower-case letters, digits, '-' or '_', "
                    + "and begins with a letter")
        }
        self.text = text
    }
}

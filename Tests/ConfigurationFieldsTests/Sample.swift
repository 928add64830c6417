import ConfigurationFields
import LocatedJSON

/// Settings that use every kind of field.
struct Sample: Settings {
    static let summary = "Reads records from a topic."

    struct Retry: Settings {
        static let summary = "How often to try again."
        let attempts: Int
        init(_ field: Fields) {
            attempts = field("attempts", "Most attempts.", default: 3, in: 1...)
        }
    }

    struct Input: Settings {
        static let summary = "Where records come from."
        let resource: String
        init(_ field: Fields) {
            resource = field("resource", "A resource's name.", example: "bus")
        }
    }

    let topic: String
    let brokers: [String]
    let maxBatch: Int
    let ratio: Double?
    let wait: Duration
    let start: Start
    let buffer: ByteCount
    let strict: Bool
    let password: String?
    let retry: Retry
    let from: [Input]
    let trigger: Rule

    init(_ field: Fields) {
        topic = field("topic", "Topic to read.", example: "orders")
        brokers = field("brokers", "Where the cluster is.", default: ["kafka-1:9092"])
        maxBatch = field(
            "max_batch", "Most records at once.", unit: "records", default: 500, in: 1...10_000)
        ratio = field.optional("ratio", "How full a batch should be.", example: 0.5, in: 0...1)
        wait = field("wait", "Longest wait for a batch.", default: .milliseconds(50))
        start = field("start", "Where a new group begins.", default: .earliest)
        buffer = field("buffer", "Memory for what is under way.", default: .mebibytes(16))
        strict = field("strict", "Refuses what it does not know.", default: false)
        password = field.optional("password", "The user's password.", example: "x", secret: true)
        retry = field.nested("retry", "How often to try again.")
        from = field.list("from", "Where records come from.")
        trigger = field("trigger", "When a batch is full.", default: .count(512))
        field.check("wait") {
            maxBatch < 10 && wait >= .seconds(3600)
                ? "a batch of less than 10 must not wait an hour" : nil
        }
    }
}

/// A value with a grammar of its own that contains itself.
indirect enum Rule: FieldValue, Equatable {
    case any([Rule])
    case all([Rule])
    case count(Int)
    case maxAge(Duration)

    static let kind = "trigger"
    static let schema: JSON = ["$ref": "#/$defs/rule"]
    static let definitions: [String: JSON] = ["rule": ["type": "object"]]

    static func decode(_ json: JSON, in context: DecodingContext) -> Rule? {
        guard
            let (member, inner) = context.alternative(
                of: json, among: ["any", "all", "count", "max_age"], kind: "a trigger")
        else { return nil }
        switch member.key {
        case "any": return inner.decode([Rule].self, from: member.value).map(Rule.any)
        case "all": return inner.decode([Rule].self, from: member.value).map(Rule.all)
        case "count": return inner.decode(Int.self, from: member.value).map(Rule.count)
        default: return inner.decode(Duration.self, from: member.value).map(Rule.maxAge)
        }
    }

    var json: JSON {
        switch self {
        case .any(let rules): ["any": rules.json]
        case .all(let rules): ["all": rules.json]
        case .count(let count): ["count": count.json]
        case .maxAge(let age): ["max_age": age.json]
        }
    }
}

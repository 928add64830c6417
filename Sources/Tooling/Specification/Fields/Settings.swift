/// A type whose initializer is its specification.
///
/// Run against a document or a command line it decodes; run against nothing it describes, and
/// help, schema, reference and completion come of that. A forgotten field is a compile error. The
/// initializer must not branch on what it reads, or the description would miss a branch.
///
/// ```swift
/// struct KafkaInput: Settings {
///     static let summary = "Reads records from a Kafka topic."
///     let topic: String
///     let maxBatch: Int
///
///     init(_ field: Fields) {
///         topic = field("topic", "Topic to read.", example: "orders")
///         maxBatch = field("max_batch", "Most records handed on at once.", unit: "records",
///             default: 500, in: 1...10_000)
///     }
/// }
/// ```
public protocol Settings: Sendable {
    /// One sentence about what the settings are for.
    static var summary: String { get }
    /// Reads every field; called with examples when only the description is wanted.
    init(_ field: Fields)
}

extension Settings {
    /// The fields in the order of their declaration.
    public static var fields: [Field] {
        let fields = Fields(.nothing)
        _ = Self(fields)
        return fields.described
    }

    /// Reads a document.
    ///
    /// - Throws: ``Diagnostics`` with everything that is wrong.
    public static func decode(
        _ json: JSON, environment: Environment = .empty
    ) throws(Diagnostics) -> Self {
        let context = DecodingContext(environment: environment)
        guard let settings = context.decode(settings: Self.self, from: json) else {
            throw context.problems
        }
        return settings
    }
}

/// Everything said about one field, once: help, schema, reference and completion come from here.
public struct Field: Sendable {
    /// How a field is given.
    public enum Role: Sendable, Equatable {
        /// By name.
        case option
        /// On a command line by standing there.
        case argument
        /// On a command line by standing there, any number of times.
        case arguments
    }

    /// What a shell offers for it.
    public enum Completion: Sendable, Equatable {
        case nothing
        case files
        case directories
    }

    /// The name as declared.
    public var name: String
    /// What a reader calls its type.
    public var kind: String
    /// One sentence about it.
    public var documentation: String
    /// A value somebody might set it to; nil for nested settings.
    public var example: JSON?
    /// The value when it is left out.
    public var fallback: JSON?
    /// Whether it must be given.
    public var isRequired: Bool
    /// What one of it is, for example `records`.
    public var unit: String?
    /// The words it may be, if it is one of a few.
    public var choices: [String] = []
    /// The least value.
    public var minimum: JSON?
    /// The greatest value.
    public var maximum: JSON?
    /// Whether its value must never be printed.
    public var isSecret = false
    /// Whether it is given by standing there alone.
    public var isFlag = false
    /// Whether it may be given several times.
    public var isRepeated = false
    /// How it is given.
    public var role: Role = .option
    /// What a shell offers for it.
    public var completion: Completion = .nothing
    /// Whether a text can stand for it, and so `$env` and `$file`.
    public var isWrittenAsText = false
    /// The schema of its value, without what is said about the field.
    public var schema: JSON
    /// What the schema refers to.
    public var definitions: [String: JSON] = [:]
    /// The fields of the object, or of each object of the list, that it holds.
    public var nested: [Field] = []
    /// What kinds of thing its value names.
    public var refersTo: [String] = []

    /// The name in JSON: `max_batch`.
    public var key: String { String(name.map { $0 == "-" ? "_" : $0 }) }
    /// The name on a command line, without its dashes: `max-batch`.
    public var option: String { String(name.map { $0 == "_" ? "-" : $0 }) }
}

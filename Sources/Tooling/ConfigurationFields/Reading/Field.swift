internal import ConfigurationDiagnostics
public import LocatedJSON

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

/// Bounds of a field: `1...10_000`, `1...` or `...100`.
public protocol FieldRange<Bound> {
    /// What is bounded.
    associatedtype Bound: Comparable
    /// The least value, if there is one.
    var minimum: Bound? { get }
    /// The greatest value, if there is one.
    var maximum: Bound? { get }
}

extension ClosedRange: FieldRange {
    public var minimum: Bound? { lowerBound }
    public var maximum: Bound? { upperBound }
}

extension PartialRangeFrom: FieldRange {
    public var minimum: Bound? { lowerBound }
    public var maximum: Bound? { nil }
}

extension PartialRangeThrough: FieldRange {
    public var minimum: Bound? { nil }
    public var maximum: Bound? { upperBound }
}

/// What a call of ``Fields`` says about one field.
struct Declaration<Value: FieldValue> {
    var name: String
    var documentation: String
    var unit: String?
    var example: Value
    var fallback: Value?
    var isRequired: Bool
    var minimum: Value?
    var maximum: Value?
    var isSecret = false
    var role: Field.Role = .option
    var completion: Field.Completion = .nothing
    /// Why a value will not do.
    var objection: (Value) -> Refusal? = { _ in nil }

    var field: Field {
        Field(
            name: name, kind: Value.kind, documentation: documentation, example: example.json,
            fallback: fallback?.json, isRequired: isRequired, unit: unit, choices: Value.choices,
            minimum: minimum?.json, maximum: maximum?.json, isSecret: isSecret,
            isFlag: Value.self == Bool.self, isRepeated: Value.self is any RepeatedValue.Type,
            role: role, completion: completion, isWrittenAsText: Value.isWrittenAsText,
            schema: Value.schema,
            definitions: Value.definitions, refersTo: Value.refersTo)
    }

    /// How a message about a command line begins.
    var prefix: String { role == .option ? "--\(field.option): " : "\(name): " }

    /// What a message says was wanted, for example `duration, for example 10s`.
    var wanted: String {
        "\(Value.kind)\(unit.map { " in \($0)" } ?? ""), for example \(example.text)"
    }
}

extension Declaration where Value: Comparable {
    mutating func bound(by range: some FieldRange<Value>) {
        let (minimum, maximum) = (range.minimum, range.maximum)
        self.minimum = minimum
        self.maximum = maximum
        let other = objection
        objection = { value in
            let isTooSmall = minimum.map { value < $0 } ?? false
            let isTooLarge = maximum.map { value > $0 } ?? false
            guard isTooSmall || isTooLarge else { return other(value) }
            return switch (minimum, maximum) {
            case (let minimum?, let maximum?):
                Refusal(.outOfRange, "lies outside \(minimum.text) to \(maximum.text)")
            case (let minimum?, nil): Refusal(.outOfRange, "is less than \(minimum.text)")
            case (nil, let maximum?): Refusal(.outOfRange, "is more than \(maximum.text)")
            case (nil, nil): nil
            }
        }
    }
}

/// A value of which a command line may hold several.
protocol RepeatedValue {
    /// Reads an item from each text.
    static func parse(each texts: [String]) throws(Refusal) -> Self
}

extension Array: RepeatedValue where Element: FieldValue {
    static func parse(each texts: [String]) throws(Refusal) -> [Element] {
        var values: [Element] = []
        for text in texts { values.append(try Element.parse(text, unit: nil)) }
        return values
    }
}

/// One setting as it was decoded: what it is, where it came from, and whether it may be shown.
public struct DecodedSetting: Sendable {
    /// Where a value came from.
    public enum Origin: Sendable, Equatable {
        /// It stands in the document.
        case document
        /// It was left out, or its variable was not set.
        case fallback
        /// A variable.
        case environment(String)
        /// A file.
        case file(String)
        /// An option or an argument.
        case commandLine
    }

    /// The way to the setting.
    public var path: JSONPath
    /// Where its value stood; nil for a default.
    public var position: Position?
    /// Its value as written, secret or not: for the program, not for people.
    public var text: String
    /// Where the value came from.
    public var origin: Origin
    /// Whether the value must never be printed.
    public var isSecret: Bool
    /// What kinds of thing the value names, see ``FieldValue/refersTo``.
    public var refersTo: [String]

    /// The value for people: `(secret)` if it is, and never with credentials.
    public var shown: String { isSecret ? "(secret)" : Redaction.withoutCredentials(text) }
}

public import ConfigurationDiagnostics
public import LocatedJSON

/// What a field may hold: how it is read, written, described and put into a schema.
///
/// A type that is written as one text (a duration, an address) conforms to ``TextValue`` and an
/// enumeration of words to ``Choice``; a value with a grammar of its own (a trigger expression)
/// conforms here and reads itself with the context's help.
public protocol FieldValue: Sendable {
    /// What a reader calls it: `duration`, `list of text`.
    static var kind: String { get }
    /// The JSON Schema of the value itself; what is said about the field is added to it.
    static var schema: JSON { get }
    /// What the schema refers to by `#/$defs/NAME`, for values that contain themselves.
    static var definitions: [String: JSON] { get }
    /// The words it may be, if it is one of a few.
    static var choices: [String] { get }
    /// Whether a text can stand for it, on a command line or in the environment.
    static var isWrittenAsText: Bool { get }
    /// What kinds of thing this value names, if it is the name of something declared elsewhere in
    /// the document (a resource); recorded in ``DecodedSetting`` for whoever checks references.
    static var refersTo: [String] { get }

    /// Reads the value, or reports what is wrong with it and returns nil.
    ///
    /// Called through ``DecodingContext/decode(_:from:)``, which has resolved `$env` and `$file`.
    static func decode(_ json: JSON, in context: DecodingContext) -> Self?
    /// Reads the value from a text, in this unit if the text names none.
    ///
    /// - Throws: ``Refusal``, whose message follows the text in a sentence.
    static func parse(_ text: String, unit: String?) throws(Refusal) -> Self

    /// The value as it would be written in JSON.
    var json: JSON { get }
    /// The value as it would be written on a command line.
    var text: String { get }
}

extension FieldValue {
    public static var definitions: [String: JSON] { [:] }
    public static var choices: [String] { [] }
    public static var isWrittenAsText: Bool { false }
    public static var refersTo: [String] { [] }

    public static func parse(_ text: String, unit: String?) throws(Refusal) -> Self {
        throw Refusal(.wrongType, "is not \(kind)", hint: "a text cannot stand for it")
    }

    public var text: String { json.plainText }
}

/// A value written as one text, in JSON as on a command line.
public protocol TextValue: FieldValue {
    /// Reads the value.
    ///
    /// - Throws: ``Refusal``, whose message follows the text in a sentence.
    init(parsing text: String) throws(Refusal)
}

extension TextValue {
    public static var schema: JSON { ["type": "string"] }
    public static var isWrittenAsText: Bool { true }

    public static func decode(_ json: JSON, in context: DecodingContext) -> Self? {
        guard let text = json.string else { return context.refuse(json, as: Self.self) }
        return context.parse(text, at: json.position)
    }

    public static func parse(_ text: String, unit: String?) throws(Refusal) -> Self {
        if let unit {
            throw Refusal(
                .invalidSubstitution, "is \(kind), which has no unit \(JSON.quoted(unit))")
        }
        return try Self(parsing: text)
    }

    public var json: JSON { .string(text) }
}

/// Why a text is not a value; the message follows the text in a sentence: `"soon" is no duration`.
public struct Refusal: Error, Sendable, Equatable {
    /// What kind of thing is wrong.
    public var code: Diagnostic.Code
    /// The rest of the sentence that begins with the text: `is not a duration`.
    public var message: String
    /// What to do about it.
    public var hint: String?

    /// A refusal, as `invalid-value` unless said otherwise.
    public init(_ code: Diagnostic.Code = .invalidValue, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }
}

extension String: TextValue {
    public static var kind: String { "text" }
    public init(parsing text: String) throws(Refusal) { self = text }
    public var text: String { self }
}

extension Int: FieldValue {
    public static var kind: String { "whole number" }
    public static var schema: JSON { ["type": "integer"] }
    public static var isWrittenAsText: Bool { true }

    public static func decode(_ json: JSON, in context: DecodingContext) -> Int? {
        guard case .number(let text) = json.value else {
            return context.refuse(json, as: Self.self)
        }
        return context.parse(text, isQuoted: false, at: json.position)
    }

    public static func parse(_ text: String, unit: String?) throws(Refusal) -> Int {
        if unit != nil { throw Refusal(.invalidSubstitution, "is a number, which has no unit") }
        if let value = Int(text), !text.hasPrefix("+") { return value }
        let digits = text.drop { $0 == "-" }
        if !digits.isEmpty, digits.allSatisfy({ "0123456789".contains($0) }) {
            throw Refusal(.outOfRange, "is too large")
        }
        throw Refusal(.wrongType, "is not a whole number")
    }

    public var json: JSON { .number(self) }
}

extension Double: FieldValue {
    public static var kind: String { "number" }
    public static var schema: JSON { ["type": "number"] }
    public static var isWrittenAsText: Bool { true }

    public static func decode(_ json: JSON, in context: DecodingContext) -> Double? {
        guard case .number(let text) = json.value else {
            return context.refuse(json, as: Self.self)
        }
        return context.parse(text, isQuoted: false, at: json.position)
    }

    public static func parse(_ text: String, unit: String?) throws(Refusal) -> Double {
        if unit != nil { throw Refusal(.invalidSubstitution, "is a number, which has no unit") }
        // Swift also reads "nan", "inf" and "0x10", which no file may rely on.
        let isPlain = text.allSatisfy { "0123456789+-.eE".contains($0) }
        guard isPlain, let value = Double(text) else {
            throw Refusal(.wrongType, "is not a number")
        }
        guard value.isFinite else { throw Refusal(.outOfRange, "is too large") }
        return value
    }

    public var json: JSON { JSON(.number("\(self)")) }
}

extension Bool: FieldValue {
    public static var kind: String { "true or false" }
    public static var schema: JSON { ["type": "boolean"] }
    public static var choices: [String] { ["true", "false"] }
    public static var isWrittenAsText: Bool { true }

    public static func decode(_ json: JSON, in context: DecodingContext) -> Bool? {
        if case .bool(let bool) = json.value { return bool }
        return context.refuse(json, as: Self.self)
    }

    public static func parse(_ text: String, unit: String?) throws(Refusal) -> Bool {
        if unit != nil { throw Refusal(.invalidSubstitution, "is a yes or no, without a unit") }
        switch text.lowercased() {
        case "true", "yes", "on", "1": return true
        case "false", "no", "off", "0": return false
        default: throw Refusal(.wrongType, "is neither true nor false")
        }
    }

    public var json: JSON { .bool(self) }
}

/// One of a few words: `enum Start: String, Choice { case earliest, latest }`.
public protocol Choice: TextValue, RawRepresentable<String>, CaseIterable {}

extension Choice {
    public static var kind: String { "one of \(choices.joined(separator: ", "))" }
    public static var choices: [String] { allCases.map(\.rawValue) }
    public static var schema: JSON { ["enum": .array(choices.map(JSON.string))] }

    public init(parsing text: String) throws(Refusal) {
        guard let value = Self(rawValue: text) else {
            throw Refusal(
                .invalidValue, "is not \(Self.kind)",
                hint: Suggestion.nearest(to: text, among: Self.choices).map {
                    "did you mean \(JSON.quoted($0))?"
                })
        }
        self = value
    }

    public var text: String { rawValue }
}

extension Diagnostics.Format: Choice {}

extension Array: FieldValue where Element: FieldValue {
    public static var kind: String { "list of \(Element.kind)" }
    public static var schema: JSON {
        var items = Element.schema
        if Element.isWrittenAsText { items = Substitution.schema(besides: items) }
        return ["type": "array", "items": items]
    }
    public static var definitions: [String: JSON] { Element.definitions }
    public static var choices: [String] { Element.choices }
    public static var isWrittenAsText: Bool { Element.isWrittenAsText }
    public static var refersTo: [String] { Element.refersTo }

    public static func decode(_ json: JSON, in context: DecodingContext) -> [Element]? {
        guard let items = json.items else { return context.refuse(json, as: Self.self) }
        // Every item is read, so that every problem is reported.
        let values = items.enumerated().map { index, item in
            context.at(index).decode(Element.self, from: item)
        }
        let present = values.compactMap(\.self)
        return present.count == values.count ? present : nil
    }

    /// Reads items separated by commas.
    public static func parse(_ text: String, unit: String?) throws(Refusal) -> [Element] {
        var values: [Element] = []
        for part in text.split(separator: ",") {
            values.append(try Element.parse(String(part), unit: unit))
        }
        return values
    }

    public var json: JSON { .array(map(\.json)) }
    public var text: String { map(\.text).joined(separator: ",") }
}

extension Dictionary: FieldValue where Key == String, Value: FieldValue {
    public static var kind: String { "object of \(Value.kind)" }
    public static var schema: JSON {
        var values = Value.schema
        if Value.isWrittenAsText { values = Substitution.schema(besides: values) }
        return ["type": "object", "additionalProperties": values]
    }
    public static var definitions: [String: JSON] { Value.definitions }

    public static func decode(_ json: JSON, in context: DecodingContext) -> [String: Value]? {
        guard let members = json.members else { return context.refuse(json, as: Self.self) }
        var values: [String: Value] = [:]
        for member in members {
            values[member.key] = context.at(member.key).decode(Value.self, from: member.value)
        }
        return values.count == members.count ? values : nil
    }

    public var json: JSON {
        .object(sorted { $0.key < $1.key }.map { ($0.key, $0.value.json) })
    }
}

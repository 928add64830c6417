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

    public var text: String { json.scalarText ?? json.written() }
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

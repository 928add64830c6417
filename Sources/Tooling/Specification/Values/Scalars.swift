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

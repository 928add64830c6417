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

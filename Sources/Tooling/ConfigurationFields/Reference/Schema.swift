public import LocatedJSON

/// JSON Schema 2020-12 from fields, see
/// [the specification](https://json-schema.org/draft/2020-12/schema).
public enum Schema {
    /// What a whole schema names itself.
    public static let dialect = "https://json-schema.org/draft/2020-12/schema"

    /// What fields refer to by `#/$defs/NAME`, substitution included.
    public static func definitions(of fields: [Field]) -> [String: JSON] {
        var definitions = ["substitution": Substitution.definition]
        for field in fields { definitions.merge(field.definitions) { first, _ in first } }
        return definitions
    }

    /// A value's schema, or a substitution for it; its document needs ``definitions(of:)``.
    public static func substitutable(_ schema: JSON) -> JSON {
        Substitution.schema(besides: schema)
    }

    /// An object with these properties and no others, without `$defs`.
    ///
    /// - Parameters:
    ///   - fields: The properties; one named `*` stands for every other key.
    ///   - leading: Properties before them, with their schemas; all of them required.
    public static func object(
        _ fields: [Field], description: String? = nil, leading: [(String, JSON)] = []
    ) -> JSON {
        var members: [(String, JSON)] = [("type", "object")]
        if let description { members.append(("description", .string(description))) }
        let named = fields.filter { $0.name != "*" }
        members.append(
            (
                "properties",
                .object(leading + named.map { ($0.key, property($0)) })
            ))
        let required = leading.map(\.0) + named.filter(\.isRequired).map(\.key)
        if !required.isEmpty { members.append(("required", .array(required.map(JSON.string)))) }
        if let rest = fields.first(where: { $0.name == "*" }) {
            members.append(
                ("additionalProperties", rest.schema["additionalProperties"] ?? .bool(true)))
        } else {
            members.append(("additionalProperties", .bool(false)))
        }
        return .object(members)
    }

    /// One property: its value's schema with what is said about the field.
    public static func property(_ field: Field) -> JSON {
        var value = field.schema.members?.map { ($0.key, $0.value) } ?? []
        // Bounds of a text (a duration, a size) have no keyword; the description names them.
        if case .number? = field.minimum?.value, let minimum = field.minimum {
            value.append(("minimum", minimum))
        }
        if case .number? = field.maximum?.value, let maximum = field.maximum {
            value.append(("maximum", maximum))
        }
        var members = value
        if field.isWrittenAsText, field.nested.isEmpty {
            members =
                Substitution.schema(besides: .object(value)).members?
                .map { ($0.key, $0.value) } ?? value
        }
        members.removeAll { $0.0 == "description" }
        members.append(("description", .string(field.sentence)))
        if let fallback = field.fallback, !field.isSecret { members.append(("default", fallback)) }
        if let example = field.example, field.nested.isEmpty, field.example != field.fallback {
            members.append(("examples", [example]))
        }
        if field.isSecret { members.append(("writeOnly", .bool(true))) }
        return .object(members)
    }

    /// A whole schema: dialect, title, the object and its `$defs`.
    public static func document(title: String, object: JSON, definitions: [String: JSON]) -> JSON {
        var members: [(String, JSON)] = [("$schema", .string(dialect)), ("title", .string(title))]
        members += object.members?.map { ($0.key, $0.value) } ?? []
        members.append(("$defs", .object(definitions.sorted { $0.key < $1.key }.map { ($0, $1) })))
        return .object(members)
    }
}

extension Field {
    /// The documentation with the bounds and the unit.
    public var sentence: String {
        var sentence = documentation
        if let bounds { sentence += " From \(bounds)." }
        if let unit { sentence += " In \(unit)." }
        return sentence
    }

    /// The bounds in words: `1 to 10000`, `1 up`, `0 to 10`.
    var bounds: String? {
        let least = minimum?.plainText
        let greatest = maximum?.plainText
        return switch (least, greatest) {
        case (let least?, let greatest?): "\(least) to \(greatest)"
        case (let least?, nil): "\(least) up"
        case (nil, let greatest?): "nothing to \(greatest)"
        case (nil, nil): nil
        }
    }
}

extension Settings {
    /// The schema of an object with these settings, without `$defs`.
    public static var schemaFragment: JSON { Schema.object(fields, description: summary) }

    /// The whole schema of a document with these settings.
    public static func schema(title: String) -> JSON {
        let fields = fields
        return Schema.document(
            title: title, object: Schema.object(fields, description: summary),
            definitions: Schema.definitions(of: fields))
    }
}

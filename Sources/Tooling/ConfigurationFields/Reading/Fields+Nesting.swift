internal import ConfigurationDiagnostics
internal import LocatedJSON

extension Fields {
    /// Settings of their own, in an object; left out, each has its default.
    public func nested<Values: Settings>(
        _ name: String, _ documentation: String, as type: Values.Type = Values.self
    ) -> Values {
        let isRequired = type.fields.contains { $0.isRequired }
        let field = Self.object(name, documentation, type, isRequired: isRequired)
        describe(field)
        guard case .document(let members, let position, let context) = source else {
            refuseOnCommandLine()
            return type.init(Fields(.nothing))
        }
        let member = members.first { $0.key == field.key }
        if member == nil, isRequired { reportMissing(field, context, position) }
        let json = member?.value ?? JSON(.object([]), at: position)
        let isMissing = member == nil && isRequired
        guard !isMissing,
            let values = context.at(field.key).decode(settings: type, from: json)
        else {
            fail()
            return type.init(Fields(.nothing))
        }
        return values
    }

    /// Settings of their own, in an object that may be left out; nil then.
    public func optionalNested<Values: Settings>(
        _ name: String, _ documentation: String, as type: Values.Type = Values.self
    ) -> Values? {
        let field = Self.object(name, documentation, type, isRequired: false)
        describe(field)
        guard case .document(let members, _, let context) = source else {
            refuseOnCommandLine()
            return nil
        }
        guard let member = members.first(where: { $0.key == field.key }) else { return nil }
        let values = context.at(field.key).decode(settings: type, from: member.value)
        if values == nil { fail() }
        return values
    }

    /// A list of settings, in an array of objects.
    ///
    /// - Parameters:
    ///   - range: How many there may be; none make the list one that may be left out.
    public func list<Values: Settings>(
        _ name: String, _ documentation: String, count range: ClosedRange<Int> = 1...256,
        of type: Values.Type = Values.self
    ) -> [Values] {
        var field = Self.object(name, documentation, type, isRequired: range.lowerBound > 0)
        field.kind = "list of objects"
        field.isRepeated = true
        field.schema = [
            "type": "array", "items": field.schema, "minItems": .number(range.lowerBound),
            "maxItems": .number(range.upperBound),
        ]
        field.example = field.example.map { [$0] }
        describe(field)
        guard case .document(let members, let position, let context) = source else {
            refuseOnCommandLine()
            return []
        }
        guard let member = members.first(where: { $0.key == field.key }) else {
            if field.isRequired { reportMissing(field, context, position) }
            return []
        }
        let here = context.at(field.key)
        guard let items = member.value.items else {
            here.report(
                .wrongType, "expected list of objects, found \(member.value.kind)",
                at: member.value.position)
            fail()
            return []
        }
        if !range.contains(items.count) {
            here.report(
                .outOfRange,
                "there are \(items.count) items; allowed are \(range.lowerBound) to "
                    + "\(range.upperBound)", at: member.value.position)
            fail()
        }
        let values = items.enumerated().map { index, item in
            here.at(index).decode(settings: type, from: item)
        }
        if values.contains(where: { $0 == nil }) { fail() }
        return values.compactMap(\.self)
    }

    /// Every key that no other field reads, with its value as text; must be declared last. The
    /// items of a list are properties of their own: `hosts[0]`, `hosts[1]`; an empty one is
    /// `hosts[]`.
    ///
    /// For what is passed on to a library that has settings of its own. Those in an object are
    /// named with its key and a dot before them. A value from `$env` or `$file` counts as secret,
    /// since nobody here knows what it is.
    public func properties(_ documentation: String, example: [String: String]) -> [String: String] {
        let known = Set(described.map(\.key))
        takesRest = true
        describe(
            Field(
                name: "*", kind: "text", documentation: documentation, example: example.json,
                isRequired: false, schema: PropertyText.schemaOfAll))
        guard case .document(let members, _, let context) = source else { return [:] }
        var properties: [String: String] = [:]
        func read(_ json: JSON, as name: String, of key: String, _ here: DecodingContext) {
            guard let text = property(json, of: key, here) else { return }
            guard properties.updateValue(text, forKey: name) == nil else {
                here.report(.invalidValue, "\(name) is set twice", at: json.position)
                return fail()
            }
        }
        for member in members where !known.contains(member.key) {
            let here = context.at(member.key)
            if let items = member.value.items {
                // Whoever knows no list has to see it.
                if items.isEmpty { properties["\(member.key)[]"] = "" }
                for (index, item) in items.enumerated() {
                    read(item, as: "\(member.key)[\(index)]", of: member.key, here.at(index))
                }
            } else if let inner = member.value.members, !Substitution.isMeant(by: member.value) {
                for part in inner {
                    let name = "\(member.key).\(part.key)"
                    read(part.value, as: name, of: name, here.at(part.key))
                }
            } else {
                read(member.value, as: member.key, of: member.key, here)
            }
        }
        return properties
    }

    private func property(
        _ json: JSON, of key: String, _ context: DecodingContext
    ) -> String? {
        guard let property = context.decode(PropertyText.self, from: json) else {
            fail()
            return nil
        }
        context.record.settings.append(
            DecodedSetting(
                path: context.path, position: json.position, text: property.text,
                origin: .document,
                isSecret: Substitution.isMeant(by: json) || Redaction.isNameOfSecret(key),
                refersTo: []))
        return property.text
    }

    private static func object<Values: Settings>(
        _ name: String, _ documentation: String, _ type: Values.Type, isRequired: Bool
    ) -> Field {
        let fields = type.fields
        let required = fields.filter(\.isRequired)
        return Field(
            name: name, kind: "object", documentation: documentation,
            example: .object(
                required.compactMap { field in field.example.map { (field.key, $0) } }),
            isRequired: isRequired, schema: type.schemaFragment,
            definitions: Schema.definitions(of: fields), nested: fields)
    }

    private func reportMissing(_ field: Field, _ context: DecodingContext, _ position: Position?) {
        fail()
        context.report(
            .missingKey, "the key \(JSON.quoted(field.key)) is missing",
            hint: "expected \(field.kind)\(field.example.map { ", for example \($0)" } ?? "")",
            at: position)
    }

    private func refuseOnCommandLine() {
        if case .arguments = source {
            preconditionFailure(
                "a command's options are flat: nested settings have no syntax there")
        }
    }
}

/// A scalar that is passed on as text.
private struct PropertyText: TextValue {
    static let kind = "text, number or true or false"
    static let schema: JSON = ["type": ["string", "number", "boolean"]]
    var text: String

    /// Of an object with any number of them, of lists of them, and of objects with them.
    static var schemaOfAll: JSON {
        let value = Substitution.schema(besides: schema)
        let members: JSON = [
            "type": "object", "propertyNames": ["not": ["pattern": "^\\$"]],
            "additionalProperties": value,
        ]
        return [
            "type": "object",
            "additionalProperties": ["anyOf": [value, [PropertyText].schema, members]],
        ]
    }

    init(parsing text: String) throws(Refusal) { self.text = text }

    static func decode(_ json: JSON, in context: DecodingContext) -> PropertyText? {
        guard let text = json.scalarText else { return context.refuse(json, as: Self.self) }
        return context.parse(text, at: json.position)
    }
}

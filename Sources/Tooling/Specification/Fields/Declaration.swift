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

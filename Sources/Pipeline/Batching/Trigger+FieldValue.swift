public import Specification

extension Trigger: FieldValue {
    public static var kind: String { "a trigger" }
    public static var schema: JSON { ["$ref": "#/$defs/trigger"] }

    public static var definitions: [String: JSON] {
        func form(_ key: String, _ value: JSON, _ description: String) -> JSON {
            [
                "type": "object", "required": [.string(key)], "additionalProperties": false,
                "description": .string(description), "properties": .object([(key, value)]),
            ]
        }
        let list: JSON = ["type": "array", "minItems": 1, "items": schema]
        return [
            "trigger": [
                "oneOf": [
                    form("count", written(Int.self, minimum: 1), "As many cases wait."),
                    form("max_age", written(Duration.self), "The oldest case has waited so long."),
                    form(
                        "deadline_margin", written(Duration.self),
                        "The earliest deadline is no further away."),
                    form("manual", ["const": true], "Somebody asked: penstock flush."),
                    form("any", list, "One of these holds."),
                    form("all", list, "All of these hold."),
                ]
            ]
        ]
    }

    private static func written<Value: FieldValue>(_: Value.Type, minimum: Int? = nil) -> JSON {
        var value = Value.schema.members?.map { ($0.key, $0.value) } ?? []
        if let minimum { value.append(("minimum", .number(minimum))) }
        let substitution: JSON = [
            "type": "object", "required": ["$env"], "additionalProperties": false,
            "properties": [
                "$env": ["type": "string"], "default": true, "unit": ["type": "string"],
            ],
        ]
        return ["anyOf": [.object(value), substitution]]
    }

    public static func decode(_ json: JSON, in context: DecodingContext) -> Trigger? {
        let names = ["count", "max_age", "deadline_margin", "manual", "any", "all"]
        guard let (member, inner) = context.alternative(of: json, among: names, kind: "a trigger")
        else { return nil }
        switch member.key {
        case "count":
            return positive(inner.decode(Int.self, from: member.value), member, inner).map(count)
        case "max_age":
            return positive(inner.decode(Duration.self, from: member.value), member, inner)
                .map(maxAge)
        case "deadline_margin":
            return inner.decode(Duration.self, from: member.value).map(deadlineMargin)
        case "manual":
            guard let isWanted = inner.decode(Bool.self, from: member.value) else { return nil }
            if isWanted { return .manual }
            inner.report(
                .invalidValue, "\"manual\" can only be true", hint: "leave it out instead",
                at: member.value.position)
            return nil
        default:
            guard let triggers = inner.decode([Trigger].self, from: member.value) else {
                return nil
            }
            if triggers.isEmpty {
                inner.report(
                    .invalidValue, "an empty \"\(member.key)\" can never hold",
                    at: member.value.position)
                return nil
            }
            return member.key == "any" ? .any(triggers) : .all(triggers)
        }
    }

    private static func positive<Value: Comparable & AdditiveArithmetic>(
        _ value: Value?, _ member: JSON.Member, _ context: DecodingContext
    ) -> Value? {
        guard let value else { return nil }
        if value > .zero { return value }
        context.report(
            .outOfRange, "\"\(member.key)\" must be greater than zero", at: member.value.position)
        return nil
    }

    public var json: JSON {
        switch self {
        case .count(let count): ["count": .number(count)]
        case .maxAge(let age): ["max_age": .string(age.text)]
        case .deadlineMargin(let margin): ["deadline_margin": .string(margin.text)]
        case .manual: ["manual": true]
        case .any(let triggers): ["any": .array(triggers.map(\.json))]
        case .all(let triggers): ["all": .array(triggers.map(\.json))]
        }
    }
}

internal import PipelineCore
public import Specification

/// How a trigger is written, for schemas.
extension Trigger {
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
                        "idle", written(Duration.self),
                        "For so long nothing has arrived, and nothing been sealed."),
                    form(
                        "every", written(Duration.self),
                        "A multiple of the period since 1970 (UTC) has come since the oldest case."
                    ),
                    cron,
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

    private static var cron: JSON {
        [
            "type": "object", "required": ["cron"], "additionalProperties": false,
            "description": "A time of the schedule has come since the oldest case.",
            "properties": [
                "cron": written(CronExpression.self), "zone": written(TimeZone.self),
            ],
        ]
    }

    private static func written<Value: FieldValue>(_: Value.Type, minimum: Int? = nil) -> JSON {
        var value = Value.schema.members?.map { ($0.key, $0.value) } ?? []
        if let minimum { value.append(("minimum", .number(minimum))) }
        return Schema.substitutable(.object(value))
    }
}

internal import ConfigurationFields
public import LocatedJSON
public import PipelineCore

/// The JSON Schema of pipeline files, for editors; what only reading can know is left to reading.
public enum PipelineSchema {
    /// The schema of files that name what is in the catalogue.
    public static func document(for catalogue: Catalogue) -> JSON {
        let stages = catalogue.stages.sorted { $0.type < $1.type }
        var definitions: [String: JSON] = [:]
        for stage in stages {
            let fields = stage.fields
            definitions.merge(Schema.definitions(of: fields)) { first, _ in first }
            definitions["stage-\(stage.type)"] = Schema.object(
                fields, description: stage.summary, leading: leading(stage.type))
        }
        definitions["resource"] = Schema.object(
            ResourceSettings.fields, description: ResourceSettings.summary)
        definitions["stage"] = stage(stages)
        definitions.merge(Schema.definitions(of: HeaderSettings.fields)) { first, _ in first }
        return Schema.document(
            title: "Penstock pipeline", object: root(), definitions: definitions)
    }

    private static func root() -> JSON {
        var root = Schema.object(HeaderSettings.fields, description: HeaderSettings.summary)
        let lists: [(String, JSON)] = [
            (
                "resources",
                [
                    "type": "object", "description": "Named connections that stages refer to.",
                    "propertyNames": Identifier.schema,
                    "additionalProperties": ["$ref": "#/$defs/resource"],
                ]
            ),
            (
                "stages",
                [
                    "type": "array", "description": "The chain, from the source to the last sink.",
                    "minItems": 1, "maxItems": .number(StageDecoding.limit),
                    "items": ["$ref": "#/$defs/stage"],
                ]
            ),
        ]
        let members = (root.members ?? []).map { member -> (String, JSON) in
            switch member.key {
            case "properties":
                (
                    member.key,
                    .object((member.value.members ?? []).map { ($0.key, $0.value) } + lists)
                )
            case "required": (member.key, .array((member.value.items ?? []) + ["stages"]))
            default: (member.key, member.value)
            }
        }
        root = .object(members)
        return root
    }

    /// By type rather than by `oneOf`, so that an editor speaks of the stage that is meant.
    private static func stage(_ stages: [any StagePlugin.Type]) -> JSON {
        let cases = stages.map { stage -> JSON in
            let condition: JSON = [
                "properties": ["type": ["const": .string(stage.type)]], "required": ["type"],
            ]
            return ["if": condition, "then": ["$ref": .string("#/$defs/stage-\(stage.type)")]]
        }
        let type: JSON = [
            "description": "What the stage is.",
            "enum": .array(stages.map { .string($0.type) }),
        ]
        return [
            "type": "object", "required": ["id", "type"],
            "properties": ["id": identifier, "type": type], "allOf": .array(cases),
        ]
    }

    private static func leading(_ type: String) -> [(String, JSON)] {
        [("id", identifier), ("type", ["const": .string(type)])]
    }

    private static var identifier: JSON {
        StageHead.fields.first.map(Schema.property) ?? Identifier.schema
    }
}

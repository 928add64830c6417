public import ConfigurationFields
public import LocatedJSON
public import PipelineCore

/// What `penstock stages` shows: everything a catalogue holds, from the declarations themselves.
public enum StageReference {
    /// How a reference is printed.
    public enum Format: String, Choice {
        /// For terminals.
        case text
        /// For documents.
        case markdown
        /// For programs.
        case json
    }

    /// A stage's reference, with a final newline.
    public static func stage(_ stage: any StagePlugin.Type, as format: Format) -> String {
        switch format {
        case .text: text(stage)
        case .markdown: markdown(stage)
        case .json: json(stage).written(.pretty) + "\n"
        }
    }

    /// Everything in a catalogue, a line each for terminals, in full for the others.
    public static func catalogue(_ catalogue: Catalogue, as format: Format) -> String {
        switch format {
        case .text: overview(catalogue)
        case .markdown:
            catalogue.stages.map(markdown).joined(separator: "\n") + "\n" + tables(catalogue)
        case .json: json(catalogue).written(.pretty) + "\n"
        }
    }

    /// A stage's entry in a pipeline file, with examples for what must be given.
    public static func example(_ stage: any StagePlugin.Type) -> JSON {
        let required = stage.fields.filter(\.isRequired)
        return .object(
            [("id", .string("my-\(stage.type)")), ("type", .string(stage.type))]
                + required.compactMap { field in field.example.map { (field.key, $0) } })
    }

    private static func text(_ stage: any StagePlugin.Type) -> String {
        let example = example(stage).written(.pretty).split(separator: "\n")
            .map { "  \($0)" }.joined(separator: "\n")
        return """
            \(stage.type): \(stage.summary)

            \(PlainText.wrapped("A \(stage.role.rawValue). \(stage.guarantee)"))

            Settings:
            \(PlainText.table(stage.fields))

            Example:
            \(example)

            """
    }

    private static func markdown(_ stage: any StagePlugin.Type) -> String {
        """
        ## \(stage.type)

        \(stage.summary) A \(stage.role.rawValue).

        \(stage.guarantee)

        \(Markdown.table(stage.fields))
        ```json
        \(example(stage).written(.pretty))
        ```

        """
    }

    private static func json(_ stage: any StagePlugin.Type) -> JSON {
        [
            "type": .string(stage.type), "role": .string(stage.role.rawValue),
            "summary": .string(stage.summary), "guarantee": .string(stage.guarantee),
            "schema": stage.schema(title: stage.type), "example": example(stage),
        ]
    }
}

extension StageReference {
    fileprivate static func overview(_ catalogue: Catalogue) -> String {
        var sections: [String] = []
        func add(_ title: String, _ rows: [(head: String, text: String)]) {
            if !rows.isEmpty { sections.append("\(title):\n" + PlainText.aligned(rows)) }
        }
        add("Stages", catalogue.stages.map { ($0.type, "\($0.summary) (\($0.role.rawValue))") })
        add("Codecs", catalogue.codecs.map { ($0.name, $0.summary) })
        add("Generators", catalogue.generators.map { ($0.name, $0.summary) })
        add("Connectors", catalogue.connectors.map { (names($0), "\($0.summary) \(uses($0))") })
        return sections.joined(separator: "\n\n") + "\n"
    }

    fileprivate static func tables(_ catalogue: Catalogue) -> String {
        var text = ""
        if !catalogue.codecs.isEmpty {
            text += "## Codecs\n\n| codec | what |\n|---|---|\n"
            text += catalogue.codecs.map { "| `\($0.name)` | \($0.summary) |\n" }.joined() + "\n"
        }
        if !catalogue.generators.isEmpty {
            text += "## Generators\n\n| generator | what |\n|---|---|\n"
            text += catalogue.generators.map { "| `\($0.name)` | \($0.summary) |\n" }.joined()
            text += "\n"
        }
        if !catalogue.connectors.isEmpty {
            text += "## Connectors\n\n| scheme | can be | example | what |\n|---|---|---|---|\n"
            text += catalogue.connectors.map { connector in
                let kinds = connector.kinds.map(\.rawValue).joined(separator: ", ")
                return "| \(names(connector)) | \(kinds) | `\(connector.example)` "
                    + "| \(connector.summary) |\n"
            }.joined()
        }
        return text
    }

    fileprivate static func json(_ catalogue: Catalogue) -> JSON {
        [
            "stages": .array(
                catalogue.stages.map {
                    [
                        "type": .string($0.type), "role": .string($0.role.rawValue),
                        "summary": .string($0.summary),
                    ]
                }),
            "codecs": .array(catalogue.codecs.map { named($0.name, $0.summary) }),
            "generators": .array(catalogue.generators.map { named($0.name, $0.summary) }),
            "connectors": .array(
                catalogue.connectors.map {
                    [
                        "schemes": .array($0.schemes.map(JSON.string)),
                        "kinds": .array($0.kinds.map { .string($0.rawValue) }),
                        "example": .string($0.example), "summary": .string($0.summary),
                    ]
                }),
        ]
    }

    private static func named(_ name: String, _ summary: String) -> JSON {
        ["name": .string(name), "summary": .string(summary)]
    }

    private static func names(_ connector: Connector) -> String {
        connector.schemes.joined(separator: ", ")
    }

    private static func uses(_ connector: Connector) -> String {
        "(\(connector.kinds.map(\.rawValue).joined(separator: ", ")))"
    }
}

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

internal import PipelineCore
internal import Specification

extension StageReference {
    static func overview(_ catalogue: Catalogue) -> String {
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

    static func tables(_ catalogue: Catalogue) -> String {
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

    static func json(_ catalogue: Catalogue) -> JSON {
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

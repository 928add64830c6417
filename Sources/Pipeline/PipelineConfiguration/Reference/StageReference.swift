public import PipelineCore
public import Specification

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

internal import CommandLineInterface
internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import LocatedJSON
internal import PipelineCore

struct ExplainErrorOptions: Settings {
    static let summary = "Explains the code of an error, a warning or a note, or lists all codes."
    let format: Explanation.Format
    let code: String?

    init(_ field: Fields) {
        format = field("format", "How it is printed.", default: .text)
        code = field.optionalArgument(
            "CODE", "What stands in brackets: error[CODE] of a file, [CODE] of a running process.",
            example: "unknown-key")
    }
}

extension PenstockCommand {
    static func explainError(_ catalogue: Catalogue) -> Command {
        Command(
            "explain-error", ExplainErrorOptions.self,
            examples: [
                .init("", "All codes, a line each."),
                .init(
                    "sla-exceeded", "What it means, why it is refused, what to do, and an example."),
                .init(
                    "store-in-use",
                    "What has happened, what to do, and what becomes of the process."),
                .init("--format markdown", "All of them in full, as a document."),
            ]
        ) { options, console in
            let codes = Explanation.codes(of: catalogue)
            let errorCodes = ErrorCode.explained(of: catalogue)
            guard let name = options.code else {
                console.out(await list(codes, errorCodes, as: options.format, catalogue))
                return .success
            }
            guard let code = codes.first(where: { $0.rawValue == name }) else {
                if let code = errorCodes.first(where: { $0.name == name }) {
                    console.out(code.rendered(as: options.format))
                    return .success
                }
                let hint = Suggestion.nearest(
                    to: name, among: codes.map(\.rawValue) + errorCodes.map(\.name))
                throw CommandFailure(
                    .usage,
                    "there is no code \(JSON.quoted(name)); "
                        + (hint.map { "did you mean \($0)?" }
                            ?? "penstock explain-error lists all codes"))
            }
            let explanation = await Explanation(
                of: code, catalogue: catalogue, program: tree(catalogue))
            console.out(explanation.rendered(as: options.format))
            return .success
        }
    }

    private static func list(
        _ codes: [Diagnostic.Code], _ errorCodes: [ErrorCode], as format: Explanation.Format,
        _ catalogue: Catalogue
    ) async -> String {
        if format == .text {
            let files = codes.map { (head: $0.rawValue, text: $0.summary) }
            let running = errorCodes.map { (head: $0.name, text: $0.meaning) }
            return """
                Of a file or a command line:

                \(PlainText.aligned(files))

                Of a running process, or in a dead letter:

                \(PlainText.aligned(running))

                More about one: penstock explain-error CODE

                """
        }
        var explanations: [Explanation] = []
        for code in codes {
            explanations.append(
                await Explanation(of: code, catalogue: catalogue, program: tree(catalogue)))
        }
        return format == .json
            ? JSON.array(explanations.map(\.json) + errorCodes.map(\.json)).written(.pretty)
                + "\n"
            : (explanations.map { $0.rendered(as: .markdown) }
                + errorCodes.map { $0.rendered(as: .markdown) }).joined(separator: "\n")
    }
}

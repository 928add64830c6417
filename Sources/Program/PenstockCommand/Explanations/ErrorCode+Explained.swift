internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import LocatedJSON
internal import PipelineCore

/// What there is to say about a code that stands in brackets behind the message of an error at run time: `[store-in-use]`.
extension ErrorCode {
    /// Every code that an error can have and no diagnostic has, by name.
    static func explained(of catalogue: Catalogue) -> [ErrorCode] {
        let diagnostics = Set(Explanation.codes(of: catalogue).map(\.rawValue))
        return catalogue.errorCodes.filter { !diagnostics.contains($0.name) }
            .sorted { $0.name < $1.name }
    }

    func rendered(as format: Explanation.Format) -> String {
        switch format {
        case .text:
            """
            \(name): \(meaning)

            \(PlainText.wrapped("To do: \(remedy)"))

            \(PlainText.wrapped(end))

            """
        case .markdown:
            """
            ## \(name)

            \(meaning) To do: \(remedy) \(end)

            """
        case .json: json.written(.pretty) + "\n"
        }
    }

    var json: JSON {
        [
            "code": .string(name), "summary": .string(meaning), "explanation": .string(remedy),
            "ending": .string(end),
        ]
    }

    /// What becomes of the process, a sentence.
    private var end: String {
        switch ending {
        case .passing?:
            "It is tried again until it passes; a command that can't wait exits with 69."
        case .record?:
            "That record is refused, with this code in its dead letter; the rest goes on."
        case .failure?, nil: "The command ends with exit code 1."
        case .unavailable?:
            "The command ends with exit code 69: the files are in order, but here they can't run."
        case .outputFailed?: "The command ends with exit code 74."
        case .outputClosed?: "The command ends with exit code 141, without a word."
        }
    }
}

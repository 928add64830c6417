internal import CommandLineInterface
internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import LocatedJSON
internal import PipelineConfiguration
internal import PipelineCore
internal import Synchronization

/// What there is to say about a code of a diagnostic, with what the program says of its example.
struct Explanation {
    enum Format: String, Choice { case text, markdown, json }

    private let code: Diagnostic.Code
    /// The program's own words about the example: lines that name the code.
    private let said: String

    /// Every code that the program may report, by name.
    static func codes(of catalogue: Catalogue) -> [Diagnostic.Code] {
        let all =
            Diagnostic.Code.json + Diagnostic.Code.settings + Diagnostic.Code.arguments
            + [.unknownCommand] + Diagnostic.Code.pipelines + catalogue.stages.flatMap { $0.codes }
        return Set(all).sorted { $0.rawValue < $1.rawValue }
    }

    /// - Parameter program: the tree that command lines of examples are run on.
    init(of code: Diagnostic.Code, catalogue: Catalogue, program: Command) async {
        self.code = code
        switch code.example {
        case .files(let parts): said = Self.said(of: parts, about: code, catalogue)
        case .commandLine(let arguments):
            let heard = RecordingConsole()
            _ = await program.run(arguments, console: heard.console)
            said = heard.err
        }
    }

    private static func said(
        of parts: [Diagnostic.Part], about code: Diagnostic.Code, _ catalogue: Catalogue
    ) -> String {
        let files = parts.enumerated().map { index, part in
            (
                name: parts.count == 1 ? "example.json" : "example-\(index + 1).json",
                bytes: ExampleFile.bytes(with: part, number: index + 1)
            )
        }
        return PipelineReader(catalogue: catalogue, environment: .empty).read(together: files)
            .map { reading in
                Diagnostics(reading.diagnostics.list.filter { $0.code == code })
                    .rendered(as: .text, source: reading.source)
            }.joined()
    }

    func rendered(as format: Format) -> String {
        switch format {
        case .text: text
        case .markdown: markdown
        case .json: json.written(.pretty) + "\n"
        }
    }

    private var text: String {
        """
        \(code.rawValue): \(code.summary)

        \(PlainText.wrapped(code.explanation))

        For example, \(example.introduction):

        \(Self.indented(example.text))

        Penstock says:

        \(Self.indented(said))

        """
    }

    private var markdown: String {
        """
        ## \(code.rawValue)

        \(code.summary) \(code.explanation)

        For example, \(example.introduction):

        ```
        \(example.text)
        ```

        ```
        \(said.trimmingLastNewline)
        ```

        """
    }

    var json: JSON {
        [
            "code": .string(code.rawValue), "summary": .string(code.summary),
            "explanation": .string(code.explanation), "example": .string(example.text),
            "place": .string(example.introduction), "said": .string(said),
        ]
    }

    /// What is shown of an example, and what stands before it.
    private var example: (introduction: String, text: String) {
        switch code.example {
        case .commandLine(let arguments):
            return ("on the command line", (["penstock"] + arguments).joined(separator: " "))
        case .files(let parts):
            let places = Set(parts.map(\.path)).sorted().filter { !$0.isEmpty }
                .joined(separator: ", ")
            let files = parts.count == 1 ? "a pipeline file" : "\(parts.count) pipeline files"
            return (
                places.isEmpty ? "as \(files)" : "as \(places) of \(files)",
                parts.map { Self.shown($0.bytes) }.joined(separator: "\n\n")
            )
        }
    }

    /// A part as text, unless it is an example of something large.
    private static func shown(_ bytes: [UInt8]) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        guard bytes.count > 1000 else { return text }
        return "\(text.prefix(60))… (\(bytes.count) bytes)"
    }

    private static func indented(_ text: String) -> String {
        text.trimmingLastNewline.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.isEmpty ? "" : "  \($0)" }.joined(separator: "\n")
    }
}

extension String {
    fileprivate var trimmingLastNewline: Substring { hasSuffix("\n") ? dropLast() : self[...] }
}

/// A console that keeps what a command says.
private final class RecordingConsole: Sendable {
    private let text = Mutex("")

    /// What has been said as messages.
    var err: String { text.withLock { $0 } }

    var console: Console {
        Console(out: { _ in }, err: { [self] said in text.withLock { $0 += said } })
    }
}

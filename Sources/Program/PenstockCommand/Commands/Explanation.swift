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

/// What there is to say about a code that stands in brackets behind the message of an error at run
/// time: `[store-in-use]`.
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
            "What it is said of is refused with this code, a record as a dead letter; the rest goes on."
        case .noted?: "It is told of, and everything goes on."
        case .takenOver?:
            "Whoever has taken over goes on, and this process with its other parts; without any, it ends with exit code 1."
        case .failure?, nil: "The command ends with exit code 1."
        case .unavailable?:
            "The command ends with exit code 69: the files are in order, but here they can't run."
        case .outputFailed?: "The command ends with exit code 74."
        case .outputClosed?: "The command ends with exit code 141, without a word."
        }
    }
}

/// A pipeline file that is in order, into which the parts of examples are put.
enum ExampleFile {
    private static let text = """
        {
          "version": 1,
          "name": "example",
          "sla": "24h",
          "resources": {
            "bus": { "url": "kafka://broker:9092" },
            "store": { "url": "postgres://db/penstock" },
            "cache": { "url": "memory:64MiB" },
            "api": { "url": "grpc://127.0.0.1:50051" }
          },
          "stages": [
            { "id": "requests", "type": "ingest", "codec": "report-request",
              "from": [ { "resource": "bus", "topic": "report-requests" }, { "resource": "api" } ] },
            { "id": "unique", "type": "dedupe" },
            { "id": "batch", "type": "accumulate", "store": "store", "trigger": { "max_age": "12h" } },
            { "id": "reports", "type": "generate", "generator": "conversion", "store": "store" },
            { "id": "ready", "type": "publish", "to": "bus", "topic": "report-ready" },
            { "id": "answers", "type": "cache", "in": "cache" }
          ]
        }
        """

    /// What a string with this in it stands for: a part that need not even be JSON.
    private static let mark = "THE-PART"

    /// The file with a part in its place; another name for each, so that they can run together.
    static func bytes(with part: Diagnostic.Part, number: Int) -> [UInt8] {
        guard !part.path.isEmpty, let path = JSONPath(relative: part.path) else {
            return part.bytes
        }
        var root: JSON
        do throws(JSON.ParsingError) { root = try JSON(parsing: text) } catch {
            preconditionFailure("\(error)")
        }
        if number > 1 {
            root = root.replacing(.string("example-\(number)"), at: [.key("name")])
            let api = JSON.string("grpc://127.0.0.1:\(50_050 + number)")
            root = root.replacing(api, at: [.key("resources"), .key("api"), .key("url")])
        }
        root = root.replacing(.string(mark), at: path.steps[...])
        let halves = root.written(.pretty).split(separator: JSON.quoted(mark), maxSplits: 1)
        return Array(halves[0].utf8) + part.bytes + Array((halves.last ?? "").utf8) + [0x0A]
    }
}

extension JSON {
    /// The value with another one at a path; a key that is not there is added.
    fileprivate func replacing(_ new: JSON, at path: ArraySlice<JSONPath.Step>) -> JSON {
        guard let step = path.first else { return new }
        switch (step, value) {
        case (.key(let key), .object(var members)):
            let inner = self[key] ?? JSON.object([])
            let changed = Member(key, inner.replacing(new, at: path.dropFirst()))
            if let index = members.firstIndex(where: { $0.key == key }) {
                members[index] = changed
            } else {
                members.append(changed)
            }
            return JSON(.object(members))
        case (.index(let index), .array(var items)) where items.indices.contains(index):
            items[index] = items[index].replacing(new, at: path.dropFirst())
            return JSON(.array(items))
        default: return self
        }
    }
}

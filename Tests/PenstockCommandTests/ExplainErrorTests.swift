// Foundation reads the sources; nothing else of it is used.
import CommandLineInterface
import ConfigurationDiagnostics
import Foundation
import LocatedJSON
import Testing

@Suite("penstock explain-error")
struct ExplainErrorTests {
    /// Every code that a diagnostic can have: `Self("name", …` in an extension of `Diagnostic.Code`.
    ///
    /// A diagnostic takes nothing else than a code, and a code is made with its documentation only.
    static let declared = matches(
        of: /static let \w+ = (?:Self|Diagnostic\.Code)\(\s*"([a-z0-9-]+)"/
    ).sorted()

    /// Every code that an error or a refusal of the running program can have, test tools left out.
    ///
    /// An error's code stands behind its disposition, or behind `code:`; those of Kafka are an enumeration's.
    static let raised: Set<String> = {
        let own = matches(
            of:
                /(?:\.(?:retryable|permanent|fatal|fenced)[(,]|\bcode:|Code: String \{)\s*"([a-z][a-z0-9-]+)"/
        )
        let kafka = matches(
            of: /case \w+ = "([a-z]+-[a-z-]+)"/,
            in: ["Connectors/Kafka/Client/KafkaErrorKind.swift"])
        return Set(own + kafka)
    }()

    private static func matches(of pattern: Regex<(Substring, Substring)>, in files: [String] = [])
        -> [String]
    {
        let sources = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Sources")
        let paths =
            FileManager.default.enumerator(atPath: sources.path)?
            .compactMap { $0 as? String }.filter {
                $0.hasSuffix(".swift") && !$0.hasPrefix("Testing/")
                    && !$0.hasPrefix("Pipeline/PipelineSimulation/")
            } ?? []
        let texts = (files.isEmpty ? paths : files).compactMap {
            try? String(contentsOf: sources.appending(path: $0), encoding: .utf8)
        }
        return texts.flatMap { text in text.matches(of: pattern).map { String($0.output.1) } }
    }

    private func explained(_ arguments: String...) async -> String {
        let terminal = Terminal()
        #expect(await terminal.penstock(["explain-error"] + arguments) == .success)
        #expect(terminal.err == "")
        return terminal.out
    }

    @Test("lists every code that the sources declare, a line each, and no other")
    func list() async throws {
        let text = await explained()
        try GoldenText.expect(text, toBe: "explain-error.txt")
        let json = try JSON(parsing: await explained("--format", "json"))
        let names = (json.items ?? []).compactMap { $0["code"]?.string }
        #expect(Array(names.prefix(Self.declared.count)) == Self.declared)
        #expect(Set(names).count == names.count)
        #expect(names.count > 40)
    }

    @Test("explains each code with an example that really has that code", arguments: declared)
    func example(_ code: String) async throws {
        let text = await explained(code)
        try GoldenText.expect(text, toBe: "explain-error/\(code).txt")
        let json = try JSON(parsing: await explained(code, "--format", "json"))
        let said = try #require(json["said"]?.string)
        #expect(said.contains("[\(code)]"), "the example of \(code) does not have it: \(said)")
        for key in ["summary", "explanation"] {
            #expect(json[key]?.string?.hasSuffix(".") == true, "\(code): \(key) is no sentence")
        }
        #expect((json["explanation"]?.string?.count ?? 0) > 80, "\(code) is hardly explained")
    }

    @Test("explains each code that the running program can print, and no other")
    func runTime() async throws {
        let json = try JSON(parsing: await explained("--format", "json"))
        let names = Set((json.items ?? []).compactMap { $0["code"]?.string })
        #expect(Self.raised.count > 70)
        let missing = Self.raised.subtracting(names).sorted()
        #expect(missing == [], "to be explained in RunTimeCode")
        let unused = names.subtracting(Self.declared).subtracting(Self.raised).sorted()
        #expect(unused == [], "explained, and raised nowhere")
        try GoldenText.expect(
            await explained("store-in-use"), toBe: "explain-error/store-in-use.txt")
    }

    @Test("writes a document of all codes")
    func markdown() async throws {
        let text = await explained("--format", "markdown")
        let json = try JSON(parsing: await explained("--format", "json"))
        #expect("\n\(text)".split(separator: "\n## ").count == json.items?.count)
        #expect(
            await explained("unknown-key", "--format", "markdown").hasPrefix("## unknown-key\n"))
    }

    @Test(
        "is a usage error for a code that does not exist, with what was probably meant",
        arguments: [
            ("unknwon-key", "there is no code \"unknwon-key\"; did you mean unknown-key?"),
            ("xyz", "penstock explain-error lists all codes"),
        ])
    func unknown(_ code: String, _ said: String) async {
        let terminal = Terminal()
        #expect(await terminal.penstock("explain-error", code) == .usage)
        #expect(terminal.err.contains(said), "\(terminal.err)")
        #expect(terminal.out == "")
    }
}

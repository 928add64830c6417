// Foundation reads the sources; nothing else of it is used.
import Foundation
import Specification
import Testing

@Suite("penstock explain-error")
struct ExplainErrorTests {
    /// Every code that a diagnostic can have: `Self("name", …` in an extension of `Diagnostic.Code`.
    ///
    /// A diagnostic takes nothing else than a code, and a code is made with its documentation only.
    static let declared: [String] = {
        let sources = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Sources")
        let paths =
            FileManager.default.enumerator(atPath: sources.path)?
            .compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") } ?? []
        let texts = paths.compactMap {
            try? String(contentsOf: sources.appending(path: $0), encoding: .utf8)
        }
        return texts.flatMap { text in
            text.matches(of: /static let \w+ = (?:Self|Diagnostic\.Code)\(\s*"([a-z0-9-]+)"/)
                .map { String($0.output.1) }
        }.sorted()
    }()

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
        #expect(names == Self.declared)
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

    @Test("writes a document of all codes")
    func markdown() async {
        let text = await explained("--format", "markdown")
        #expect("\n\(text)".split(separator: "\n## ").count == Self.declared.count)
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

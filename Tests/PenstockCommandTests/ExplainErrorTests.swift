// Foundation reads the sources; nothing else of it is used.
import CommandLineInterface
import Foundation
import PipelineCore
import ConfigurationDiagnostics
import ConfigurationFields
import LocatedJSON
import StandardCatalogue
import Testing

@testable import PenstockCommand

@Suite("penstock explain-error")
struct ExplainErrorTests {
    /// Every code that a diagnostic can have: `Self("name", …` in an extension of
    /// `Diagnostic.Code`.
    ///
    /// A diagnostic takes nothing else than a code, and a code is made with its documentation only.
    static let declared = matches(
        of: /static let \w+ = (?:Self|Diagnostic\.Code)\(\s*"([a-z0-9-]+)"/
    ).sorted()

    private static let sources: [String: String] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Sources")
        let paths =
            FileManager.default.enumerator(atPath: folder.path)?
            .compactMap { $0 as? String }.filter {
                $0.hasSuffix(".swift") && !$0.hasPrefix("Testing/")
            } ?? []
        return paths.reduce(into: [:]) {
            $0[$1] = try? String(contentsOf: folder.appending(path: $1), encoding: .utf8)
        }
    }()

    /// Every code that an error or a refusal of the running program can have, test tools left out:
    /// the constant's name and the code's.
    private static let errorCodes: [(constant: String, name: String)] = {
        let declaration =
            /static let (\w+)(?:: ErrorCode)? = (?:ErrorCode)?(?:\.init)?\(\s*(?:diagnostic: )?"([a-z0-9-]+)"/
        return sources.values.filter { $0.contains("ErrorCode") }.flatMap { text in
            text.matches(of: declaration).map {
                (constant: String($0.output.1), name: String($0.output.2))
            }
        }
    }()

    private static func matches(of pattern: Regex<(Substring, Substring)>) -> [String] {
        sources.values.flatMap { text in
            text.matches(of: pattern).map { String($0.output.1) }
        }
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
        let names = Self.errorCodes.map(\.name).sorted()
        #expect(names.count > 100)
        let listed = Catalogue.standard.errorCodes
        #expect(Set(listed.map(\.name)).symmetricDifference(names) == [], "declared, not listed")
        #expect(Set(listed).count == listed.count, "listed twice")
        #expect(Set(names).count == names.count, "declared twice")
        let json = try JSON(parsing: await explained("--format", "json"))
        let explained = (json.items ?? []).compactMap { $0["code"]?.string }
        #expect(Set(explained).symmetricDifference(Self.declared + names) == [])
        for code in listed where code.meaning.isEmpty {
            #expect(Self.declared.contains(code.name), "\(code) is no diagnostic's")
        }
        for code in listed where !code.meaning.isEmpty {
            #expect(code.meaning.hasSuffix(".") && !code.remedy.isEmpty, "\(code) says too little")
        }
        try GoldenText.expect(
            await self.explained("store-in-use"), toBe: "explain-error/store-in-use.txt")
    }

    @Test("knows no code of the running program that is raised nowhere")
    func raised() {
        let uses = Set(
            Self.sources.filter { !$0.key.contains("/ErrorCode+") }.values.flatMap { text in
                text.matches(of: /\.(\w+)/).map { String($0.output.1) }
            })
        let unused = Self.errorCodes.filter { !uses.contains($0.constant) }.map(\.name)
        #expect(unused == [], "explained, and raised nowhere")
    }

    @Test("finds no error or refusal whose code is a text")
    func literals() {
        let ways =
            /\.(?:retryable|permanent|fatal|fenced)[(,](?:\s*code:)?\s*"|ErrorCode\(foreign:\s*"|ErrorCode: \w*Literal/
        let code = /(?:Rejection|Refusal|\.failure|PipelineError)\([^"()]*code:\s*"/
        for (path, text) in Self.sources {
            for found in text.matches(of: ways).map(\.output) + text.matches(of: code).map(\.output)
            {
                Issue.record("\(path): \(found)")
            }
        }
    }

    /// What may be done about an error whose code ends so.
    private static func disposition(_ ending: ErrorCode.Ending?) -> PipelineError.Disposition {
        switch ending {
        case .passing?: .retryable
        case .record?, .noted?: .permanent
        case .takenOver?: .fenced
        case .failure?, .unavailable?, .outputFailed?, .outputClosed?, nil: .fatal
        }
    }

    @Test("raises each error as its code's ending says, or knows better with a reason")
    func dispositions() {
        let allowed = [
            // Waiting does not help the chunk in hand: its partition rests, and is read again.
            "Stages/Ingest/DeadLetterKeeper.swift: fenced deadLettersRefused"
        ]
        let codes = Dictionary(
            uniqueKeysWithValues: Catalogue.standard.errorCodes.map { ($0.name, $0) })
        let named = Dictionary(uniqueKeysWithValues: Self.errorCodes.map { ($0.constant, $0.name) })
        let raising = /\.(retryable|permanent|fatal|fenced)(?:\(|,\s*code:)\s*\.(\w+)/
        var seen: Set<String> = []
        var compared = 0
        for (path, text) in Self.sources {
            for (_, way, constant) in text.matches(of: raising).map(\.output) {
                guard let ending = named[String(constant)].flatMap({ codes[$0] })?.ending else {
                    Issue.record("\(path): \(constant) is no code")
                    continue
                }
                compared += 1
                if way == Self.disposition(ending).rawValue { continue }
                let place = "\(path): \(way) \(constant)"
                seen.insert(place)
                #expect(allowed.contains(place), "\(place), which is declared \(ending)")
            }
        }
        #expect(compared > 100)
        #expect(Set(allowed).subtracting(seen) == [], "needs no leave any more")
    }

    @Test("makes an error of a code alone as its ending says")
    func defaults() {
        for code in Catalogue.standard.errorCodes {
            #expect(PipelineError(code, "").disposition == Self.disposition(code.ending), "\(code)")
        }
        #expect(PipelineError(ErrorCode(foreign: "away"), "").disposition == .fatal)
    }

    @Test("says the exit code that a command has")
    func exitCodes() async throws {
        let json = try JSON(parsing: await explained("--format", "json"))
        var compared = 0
        for code in Catalogue.standard.errorCodes {
            let item = json.items?.first { $0["code"]?.string == code.name }
            guard let said = item?["ending"]?.string else { continue }
            let fatal = PipelineError.fatal(code, "").exitCode.rawValue
            let ended = PipelineError(Self.disposition(code.ending), code: code, "").exitCode
            if let number = try /exit code ([0-9]+)/.firstMatch(in: said)?.output.1 {
                #expect(number == "\(fatal)" && number == "\(ended.rawValue)", "\(code)")
                compared += 1
            } else {
                #expect(PipelineError.retryable(code, "").exitCode == .unavailable && fatal == 1)
            }
            if let number = try /exits with ([0-9]+)/.firstMatch(in: said)?.output.1 {
                #expect(number == "\(ended.rawValue)", "\(code)")
            }
        }
        #expect(compared > 50)
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

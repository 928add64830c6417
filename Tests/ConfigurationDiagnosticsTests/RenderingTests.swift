import ConfigurationDiagnostics
import ConfigurationFields
import LocatedJSON
import Testing

@Suite("Diagnostics")
struct RenderingTests {
    let problems = Diagnostics([
        Diagnostic(
            .unknownKey, "unknown key \"cuont\"", hint: "did you mean \"count\"?",
            at: Position(line: 2, column: 4, offset: 5),
            path: .root.appending("stages").appending(2).appending("cuont")),
        Diagnostic(
            .invalidValue, "100% of: a, b\nc", severity: .warning,
            at: Position(line: 1, column: 1, offset: 0)),
        Diagnostic(.unknownOption, "unknown option --x"),
    ]).located(in: "a,b.json")
    let source = "{\n\t\"é\"cuont\"}\r\n"

    @Test("read as one line each, in the order of the text")
    func lines() {
        #expect(
            problems.rendered(as: .text) == """
                a,b.json:1:1: warning[invalid-value]: 100% of: a, b
                c
                a,b.json:2:4: error[unknown-key] $.stages[2].cuont: unknown key "cuont"; did you mean "count"?
                a,b.json: error[unknown-option]: unknown option --x

                """)
    }

    @Test("show their line and a caret, keeping tabs")
    func carets() {
        #expect(
            problems.rendered(as: .text, source: source).contains(
                "\n  2 | \t\"é\"cuont\"}\n    | \t  ^\n"))
    }

    @Test("are a value for programs")
    func json() throws {
        let json = try JSON(parsing: problems.rendered(as: .json))
        #expect(
            json["diagnostics"]?.items?[1] == [
                "file": "a,b.json", "line": 2, "column": 4, "path": "$.stages[2].cuont",
                "code": "unknown-key", "severity": "error", "message": "unknown key \"cuont\"",
                "hint": "did you mean \"count\"?",
            ])
    }

    @Test("are annotations for GitHub, with everything escaped that would break them")
    func github() {
        #expect(
            problems.rendered(as: .github) == """
                ::warning file=a%2Cb.json,line=1,col=1,title=invalid-value::100%25 of: a, b%0Ac
                ::error file=a%2Cb.json,line=2,col=4,title=unknown-key::$.stages[2].cuont: unknown key "cuont"; did you mean "count"?
                ::error file=a%2Cb.json,title=unknown-option::unknown option --x

                """)
    }

    @Test("are coloured for a terminal by how much they matter")
    func colours() {
        let note = Diagnostic(
            .missingKey, "x", severity: .note, at: Position(line: 1, column: 2, offset: 1))
        #expect(
            Diagnostics([note]).rendered(as: .text, source: "{}", colours: true)
                == "1:2: \u{1B}[1;36mnote[missing-key]\u{1B}[0m: x\n\u{1B}[2m  1 | \u{1B}[0m{}\n"
                + "\u{1B}[2m    | \u{1B}[0m \u{1B}[1;36m^\u{1B}[0m\n")
        #expect(
            Diagnostics([note]).rendered(as: .github)
                == "::notice line=1,col=2,title=missing-key::x\n"
        )
    }

    @Test("show a piece of a long line, around the place")
    func longLines() {
        let line = String(repeating: "a", count: 1000) + "b" + String(repeating: "c", count: 1000)
        let problem = Diagnostic(
            .invalidJSON, "x", at: Position(line: 1, column: 1001, offset: 1000))
        let lines = Diagnostics([problem]).rendered(as: .text, source: line).split(separator: "\n")
        #expect(lines[1].count < 180)
        #expect(lines[1].hasPrefix("  1 | …a") && lines[1].hasSuffix("c…"))
        let caret = lines[2].firstIndex(of: "^").map {
            lines[2].distance(from: lines[2].startIndex, to: $0)
        }
        let place = lines[1].firstIndex(of: "b").map {
            lines[1].distance(from: lines[1].startIndex, to: $0)
        }
        #expect(caret == place)
        let first = Diagnostic(.invalidJSON, "x", at: Position(line: 1, column: 1, offset: 0))
        #expect(
            Diagnostics([first]).rendered(as: .text, source: line).contains("\n    | ^\n"))
    }

    @Test("give a terminal no orders that a file holds")
    func control() {
        let problem = Diagnostic(.invalidJSON, "x", at: Position(line: 1, column: 3, offset: 2))
        #expect(
            Diagnostics([problem]).rendered(as: .text, source: "[\u{1B}2J]")
                == "1:3: error[invalid-json]: x\n  1 | [\u{FFFD}2J]\n    |   ^\n")
    }

    @Test("keep the names of what a reader of JSON objects to")
    func codesOfJSON() {
        let problems = JSON.Problem.Code.allCases.map {
            JSON.Problem(code: $0, message: "x", position: .start, path: .root.appending("a"))
        }
        #expect(
            Diagnostics(JSON.ParsingError(problems: problems)).description
                == problems.map { "1:1: error[\($0.code.rawValue)] $.a: x" }.joined(separator: "\n")
        )
        #expect(problems.map { Diagnostic($0).code } == Diagnostic.Code.json)
    }

    @Test("are counted by how much they matter")
    func tally() {
        #expect(problems.tally == "2 errors, 1 warning")
        #expect(Diagnostics().tally == "")
    }

    @Test("do not fail on a position that is not in the source")
    func positions() {
        let problem = Diagnostic(.invalidJSON, "x", at: Position(line: 99, column: 7, offset: 999))
        #expect(
            Diagnostics([problem]).rendered(as: .text, source: "{}")
                == "99:7: error[invalid-json]: x\n")
    }

    @Test(
        "hide credentials",
        arguments: [
            ("kafka://app:geheim@k:1", "kafka://***@k:1"),
            ("postgres://a:g@h@b/x?password=geheim&x=1", "postgres://***@b/x?password=***&x=1"),
            ("host=a Password=geheim dbname=x", "host=a Password=*** dbname=x"),
            ("embedded:data/a@b.sqlite", "embedded:data/a@b.sqlite"), ("", ""),
            ("a@b://c", "a@b://c"),
        ])
    func credentials(text: String, shown: String) {
        #expect(Redaction.withoutCredentials(text) == shown)
    }
}

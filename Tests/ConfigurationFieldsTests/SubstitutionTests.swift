import ConfigurationDiagnostics
import ConfigurationFields
import LocatedJSON
import Testing

@Suite("A value from the environment or a file")
struct SubstitutionTests {
    struct Plain: Settings {
        static let summary = "Plain settings."
        let count: Int
        let age: Duration
        let names: [String]
        let password: String?
        let rule: Rule

        init(_ field: Fields) {
            count = field("count", "How many.", default: 5, in: 1...100)
            age = field("age", "How old.", default: .seconds(1))
            names = field("names", "Who.", default: [])
            password = field.optional("password", "What opens it.", example: "x", secret: true)
            rule = field("rule", "When.", default: .count(1))
        }
    }

    let environment = Environment(
        variables: [
            "COUNT": "7", "WORDS": "seven", "HOURS": "0.5", "MINUTES": "90m", "EMPTY": "",
            "NAMES": "a,b", "PASSWORD": "geheim",
        ],
        readFile: { path in
            guard path == "/run/secrets/p" else {
                throw Diagnostic(.unreadableFile, "no such file")
            }
            return "geheim\n"
        })

    private func decode(_ text: String, _ environment: Environment? = nil) throws -> Plain {
        try Plain.decode(JSON(parsing: text), environment: environment ?? self.environment)
    }

    private func message(_ text: String) -> String? {
        do {
            _ = try decode(text)
            return nil
        } catch { return "\(error)" }
    }

    @Test("is read by the type of the setting")
    func types() throws {
        #expect(try decode(#"{"count": {"$env": "COUNT"}}"#).count == 7)
        #expect(try decode(#"{"names": {"$env": "NAMES"}}"#).names == ["a", "b"])
        #expect(try decode(#"{"names": ["x", {"$env": "COUNT"}]}"#).names == ["x", "7"])
        #expect(try decode(#"{"age": {"$env": "MINUTES"}}"#).age == .seconds(5400))
    }

    @Test("is understood in the unit beside it, fractions too, unless it names its own")
    func units() throws {
        #expect(try decode(#"{"age": {"$env": "HOURS", "unit": "h"}}"#).age == .seconds(1800))
        #expect(try decode(#"{"age": {"$env": "MINUTES", "unit": "h"}}"#).age == .seconds(5400))
        let fallback = #"{"age": {"$env": "NONE", "unit": "h", "default": 12}}"#
        #expect(try decode(fallback).age == .seconds(43_200))
        let fraction = #"{"age": {"$env": "NONE", "unit": "h", "default": 1.5}}"#
        #expect(try decode(fraction).age == .seconds(5400))
        #expect(
            message(#"{"count": {"$env": "COUNT", "unit": "h"}}"#)?.contains("has no unit") == true)
    }

    @Test("has its default when the variable is not set or empty")
    func fallbacks() throws {
        #expect(try decode(#"{"count": {"$env": "NONE", "default": 9}}"#).count == 9)
        #expect(try decode(#"{"count": {"$env": "EMPTY", "default": 9}}"#).count == 9)
        #expect(
            message(#"{"count": {"$env": "NONE"}}"#)
                == "1:11: error[unknown-environment] $.count: the environment variable NONE is not set; set it, or give a \"default\""
        )
        #expect(
            message(#"{"count": {"$env": "NONE", "default": "x"}}"#)
                == "1:39: error[wrong-type] $.count.default: expected whole number, found text")
    }

    @Test("that is empty is said to be, and not to be missing")
    func empty() {
        #expect(
            message(#"{"count": {"$env": "EMPTY"}}"#)
                == "1:11: error[unknown-environment] $.count: the environment variable EMPTY is empty; set it, or give a \"default\""
        )
        #expect(
            read("\n", #"{"password": {"$file": "f"}}"#)
                == "1:14: error[invalid-value] $.password: the file f is empty")
    }

    @Test("loses the line breaks at its end")
    func lineBreaks() {
        for end in ["", "\n", "\r\n", "\n\n"] {
            #expect(read("x\(end)", #"{"password": {"$file": "f"}}"#) == "x")
            #expect(read("x\(end)", #"{"password": {"$env": "V"}}"#) == "x")
        }
        #expect(read(" -- a\nb \n", #"{"password": {"$env": "V"}}"#) == " -- a\nb ")
    }

    @Test(
        "with white space around it is refused by its name, and not shown",
        arguments: [" s3cret", "s3cret ", "s3cret\t\n", "\u{a0}s3cret"])
    func margins(text: String) {
        #expect(
            read(text, #"{"password": {"$env": "V"}}"#)
                == "1:14: error[invalid-value] $.password: the environment variable V begins or ends with white space"
        )
        #expect(
            read(text, #"{"password": {"$file": "f"}}"#)
                == "1:14: error[invalid-value] $.password: the file f begins or ends with white space"
        )
    }

    /// The password that a text gives with this value in the variable V and the file f, or what is
    /// said about it.
    private func read(_ value: String, _ text: String) -> String? {
        let environment = Environment(variables: ["V": value]) { _ in value }
        do { return try decode(text, environment).password } catch { return "\(error)" }
    }

    @Test("works inside a value with a grammar of its own")
    func nested() throws {
        let plain = try decode(
            #"{"rule": {"any": [{"count": {"$env": "COUNT"}}, {"max_age": {"$env": "HOURS", "unit": "h"}}]}}"#
        )
        #expect(plain.rule == .any([.count(7), .maxAge(.seconds(1800))]))
        #expect(message(#"{"rule": {"$env": "COUNT"}}"#)?.contains("cannot come from") == true)
    }

    @Test("is named in what is said about it")
    func names() {
        #expect(
            message(#"{"count": {"$env": "WORDS"}}"#)
                == "1:11: error[wrong-type] $.count: \"seven\" from the environment variable WORDS is not a whole number"
        )
        let large = Environment(variables: ["COUNT": "700"])
        #expect(throws: Diagnostics.self) { try decode(#"{"count": {"$env": "COUNT"}}"#, large) }
    }

    @Test("is never shown when it is secret or from a file")
    func secrets() throws {
        #expect(try decode(#"{"password": {"$file": "/run/secrets/p"}}"#).password == "geheim")
        for text in [
            #"{"count": {"$file": "/run/secrets/p"}}"#, #"{"age": {"$file": "/run/secrets/p"}}"#,
            #"{"names": [{"$file": "/run/secrets/p"}], "count": {"$file": "/run/secrets/p"}}"#,
            #"{"rule": {"count": {"$file": "/run/secrets/p"}}}"#,
        ] {
            let message = try #require(self.message(text))
            #expect(!message.contains("geheim"))
            #expect(message.contains("/run/secrets/p"))
        }
        let context = DecodingContext(environment: environment)
        let json = try JSON(parsing: #"{"names": {"$file": "/run/secrets/p"}}"#)
        _ = context.decode(settings: Plain.self, from: json)
        #expect(context.settings.first { $0.path.description == "$.names" }?.shown == "(secret)")
    }

    @Test("is refused when the file cannot be read")
    func files() {
        #expect(
            message(#"{"password": {"$file": "/nowhere"}}"#)
                == "1:14: error[unreadable-file] $.password: the file /nowhere cannot be read: no such file"
        )
    }

    @Test(
        "is refused when it is not formed as it should be",
        arguments: [
            #"{"count": {"$env": 5}}"#, #"{"count": {"$env": ""}}"#,
            #"{"count": {"$env": "A", "x": 1}}"#,
            #"{"count": {"$file": "a", "default": 1}}"#, #"{"count": {"$env": "A", "$file": "b"}}"#,
            #"{"count": {"$env": "COUNT", "unit": 5}}"#, #"{"count": {"$env": null}}"#,
        ])
    func malformed(text: String) {
        #expect(throws: Diagnostics.self) { try decode(text) }
    }

    @Test("that is missing is only a warning where settings are merely looked at")
    func lenient() throws {
        let context = DecodingContext(environment: Environment(missing: .warning))
        let json = try JSON(
            parsing: #"{"count": {"$env": "NONE"}, "password": {"$file": "/nowhere"}}"#)
        _ = context.decode(settings: Plain.self, from: json)
        #expect(context.problems.list.map(\.severity) == [.warning, .warning])
        #expect(!context.problems.hasErrors)
    }
}

@Suite("A document's references to its environment")
struct SubstitutionReferenceTests {
    private func references(_ text: String) -> [SubstitutionReference] {
        JSON.parse(Array(text.utf8)).value?.references ?? []
    }

    @Test("are found in objects and lists, in the order of the text, with their places")
    func found() {
        let found = references(
            """
            { "url": { "$env": "URL", "default": { "$env": "NOT_READ" } },
              "list": [ 1, { "$file": "/run/secret" } ] }
            """)
        #expect(found.map(\.place) == [.environment("URL"), .file("/run/secret")])
        #expect(found.map(\.path.description) == ["$.url", "$.list[1]"])
        #expect(found.map(\.hasDefault) == [true, false])
        #expect(found.map(\.position?.line) == [1, 2])
    }

    @Test("are none in what is not well-formed", arguments: ["{}", "[]", #"{"a":{"$env":5}}"#])
    func none(_ text: String) { #expect(references(text).isEmpty) }

    @Test(
        "are secret by the name of the variable, or of what it is for",
        arguments: [#"{"sasl.password":{"$env":"A"}}"#, #"{"url":{"$env":"API_TOKEN"}}"#])
    func secret(_ text: String) { #expect(references(text).map(\.isNamedAsSecret) == [true]) }
}

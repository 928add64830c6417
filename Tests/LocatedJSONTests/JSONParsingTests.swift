import LocatedJSON
import Testing

@Suite("A JSON reader")
struct JSONParsingTests {
    @Test(
        "takes what RFC 8259 allows",
        arguments: [
            "[]", "{}", " [ ] ", "\t{\r\n}\n", "null", "true", "\"\"", "0", "-0", "-0.0e-0", "1e5",
            "1E+5", "1.5e-3", "123456789012345678901234567890", "1e999999", "[1,2,[3,[]]]",
            "{\"a\":{\"a\":1},\"b\":[{}]}", "\"\\u0041\\n\\\\\\/\\\"\\b\\f\\r\\t\"",
            "\"\\ud83d\\ude00\"", "\"\u{7F}\"", "\"é😀\u{2028}\"", "{\"\":0}", "{\"a\\u0000b\":1}",
            "\"\\u0000\"", "[\n\n1\n]", "\"\u{FEFF}\"", "\"// no comment\"",
        ])
    func takes(text: String) {
        #expect(throws: Never.self) { try JSON(parsing: text) }
    }

    @Test(
        "refuses what RFC 8259 forbids",
        arguments: [
            "", " ", "[", "{", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1,,2]", "{\"a\"}",
            "{\"a\":}", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "{'a':1}", "{1:1}", "{\"a\":1 \"b\":2}",
            "01", "-01", "-", "+1", ".5", "1.", "1.e5", "1e", "1e+", "0x10", "NaN", "Infinity",
            "-Infinity", "1_000", "5m", "True", "nul", "nulll", "undefined", "'a'", "\"a",
            "\"\\x\"",
            "\"\\u12\"", "\"\\u12G4\"", "\"\\", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
            "\"\\ud800\\ud800\"", "\"a\nb\"", "\"a\tb\"", "\"\u{01}\"", "1 2", "[] []", "{}}", "]",
            "// x\n1", "/* x */ 1", "[1] # x", "\u{FEFF}1", "\u{A0}1", "[1;2]", "\"\u{00}\"", "\0",
            "\"a\rb\"", "[\"a\",\n4\n,1,",
        ])
    func refuses(text: String) throws {
        let parsed = JSON.parse(Array(text.utf8))
        #expect(parsed.value == nil)
        let problem = try #require(parsed.problems.last)
        #expect(problem.code == .invalidJSON)
        #expect((0...text.utf8.count).contains(problem.position.offset))
    }

    @Test("keeps where every value and key stood, counting characters and not bytes")
    func positions() throws {
        let json = try JSON(parsing: "{\n  \"é\": [true,\r\n \"😀\", 5] }")
        let member = try #require(json.members?.first)
        #expect(json.position == Position(line: 1, column: 1, offset: 0))
        #expect(member.position == Position(line: 2, column: 3, offset: 4))
        let items = try #require(member.value.items)
        #expect(member.value.position == Position(line: 2, column: 8, offset: 10))
        #expect(items[1].position == Position(line: 3, column: 2, offset: 19))
        #expect(items[2].position == Position(line: 3, column: 7, offset: 27))
    }

    @Test("resolves escapes and surrogate pairs")
    func escapes() throws {
        #expect(try JSON(parsing: #""A\u00e9\ud83d\ude00\/\n""#).string == "Aé😀/\n")
        #expect(try JSON(parsing: #"{"\u0061": 1}"#)["a"] == 1)
    }

    @Test("keeps numbers as written, however large")
    func numbers() throws {
        let json = try JSON(parsing: "[12345678901234567890123, 1e999999]")
        #expect(
            json == .array([JSON(.number("12345678901234567890123")), JSON(.number("1e999999"))]))
    }

    @Test("reports a repeated key where it stands, keeps the first, and reads on")
    func duplicates() throws {
        let text = "{\"a\": 1,\n \"b\": {\"c\": 1, \"c\": 2},\n \"a\": 3, \"\\u0061\": 4}"
        let parsed = JSON.parse(Array(text.utf8))
        #expect(parsed.value == ["a": 1, "b": ["c": 1]])
        #expect(parsed.problems.map(\.code) == [.duplicateKey, .duplicateKey, .duplicateKey])
        #expect(parsed.problems[0].path?.description == "$.b.c")
        #expect(parsed.problems[0].position == Position(line: 2, column: 16, offset: 24))
        #expect(throws: JSON.ParsingError.self) { try JSON(parsing: text) }
    }

    @Test("names the byte where text stops being UTF-8")
    func invalidUTF8() throws {
        for wrong: [UInt8] in [[0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF5, 0x80], [0xC3]] {
            let bytes = Array("[\n\"é\", \"".utf8) + wrong + Array("\"]".utf8)
            let problem = try #require(JSON.parse(bytes).problems.first)
            #expect(problem.code == .invalidUTF8)
            #expect(problem.position == Position(line: 2, column: 7, offset: 9))
        }
    }

    @Test("refuses nesting beyond its limit and takes what is just within")
    func depth() throws {
        func nested(_ levels: Int) -> [UInt8] {
            Array(
                (String(repeating: "[", count: levels) + String(repeating: "]", count: levels)).utf8
            )
        }
        #expect(JSON.parse(nested(64)).problems.isEmpty)
        let problem = try #require(JSON.parse(nested(65)).problems.first)
        #expect(problem.code == .tooDeep)
        #expect(problem.position.offset == 64)
        #expect(JSON.parse(nested(100_000)).problems.first?.code == .tooDeep)
    }

    @Test("refuses a text beyond its limit before reading it")
    func size() {
        let limits = JSON.Limits(bytes: 10)
        #expect(JSON.parse(Array("\"12345678\"".utf8), limits: limits).problems.isEmpty)
        #expect(
            JSON.parse(Array("\"123456789\"".utf8), limits: limits).problems.first?.code
                == .tooLarge)
        let text = Array(("[" + String(repeating: " ", count: 1 << 20) + "]").utf8)
        #expect(JSON.parse(text).problems.first?.code == .tooLarge)
    }

    @Test(
        "says what was probably meant",
        arguments: [
            ("{\"a\": 1,}", "remove the last comma"), ("{'a': 1}", "JSON quotes with \""),
            ("[1] // x", nil), ("[ // x\n1]", "JSON has no comments"), ("[True]", "write true"),
            ("[None]", "write null"), ("[5m]", "a value with a unit is a text: \"5m\""),
            ("[abc]", "text stands in double quotes"), ("[\"a\n\"]", "close it with \""),
            ("\u{FEFF}{}", "save it as plain UTF-8"), ("[1,,2]", "remove one comma"),
        ] as [(String, String?)])
    func hints(text: String, hint: String?) {
        #expect(JSON.parse(Array(text.utf8)).problems.first?.hint == hint)
    }

    @Test("never crashes, whatever the bytes")
    func anyBytes() {
        var generator = Numbers(seed: 7)
        let sample = Array(
            #"{"a": [1.5e3, "x\u00e9\ud83d\ude00", true, null], "b": {"c": -0}}"#.utf8)
        for _ in 0..<5000 {
            var bytes = sample
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                default: bytes = Array(bytes[..<place])
                }
                if bytes.isEmpty { bytes = sample }
            }
            let parsed = JSON.parse(bytes)
            #expect(parsed.value != nil || !parsed.problems.isEmpty)
            for problem in parsed.problems {
                #expect((0...bytes.count).contains(problem.position.offset))
            }
        }
    }
}

/// Numbers that a seed repeats.
struct Numbers: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite("A JSON writer")
struct JSONWritingTests {
    @Test("writes what it would read again, compact or pretty")
    func roundTrip() throws {
        let json: JSON = [
            "text": "é\"\\\n\u{01}😀", "list": [1, -2, true, .null], "empty": [:], "none": [],
            "deep": ["a": ["b": [["c": 1]]]],
        ]
        #expect(try JSON(parsing: json.written()) == json)
        #expect(try JSON(parsing: json.written(.pretty)) == json)
    }

    @Test("escapes what must not stand in a string")
    func escapes() {
        #expect(JSON.quoted("a\"\\\n\r\t\u{01}\u{7F}/é") == #""a\"\\\n\r\t\u0001\u007f/é""#)
    }

    @Test("lays out pretty text with short lists and objects on their line")
    func pretty() {
        let json: JSON = [
            "name": "x", "list": [1, 2], "inner": ["a": 1], "items": [["a": [1]], [:]],
        ]
        #expect(
            json.written(.pretty) == """
                {
                  "name": "x",
                  "list": [1, 2],
                  "inner": { "a": 1 },
                  "items": [
                    {
                      "a": [1]
                    },
                    {}
                  ]
                }
                """)
    }

    @Test("writes a path as people read it")
    func paths() {
        let path = JSONPath.root.appending("stages").appending(2).appending("any").appending("a b")
        #expect(path.description == #"$.stages[2].any["a b"]"#)
        #expect(JSONPath.root.description == "$")
    }
}

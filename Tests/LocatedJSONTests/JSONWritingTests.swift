import LocatedJSON
import Testing

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

/// A recursive-descent reader of RFC 8259 over bytes; its depth is bounded by the limits.
struct JSONParser {
    let bytes: [UInt8]
    let limits: JSON.Limits
    var index = 0
    var line = 1
    /// Scalars read on this line, so that a column is a scalar and not a byte.
    var column = 1
    var path: [JSONPath.Step] = []
    var problems: [JSON.Problem] = []

    init(_ bytes: [UInt8], limits: JSON.Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    var here: Position { Position(line: line, column: column, offset: index) }
    /// The byte here; 0, which JSON never allows, at the end.
    var byte: UInt8 { index < bytes.count ? bytes[index] : 0 }
    var isAtEnd: Bool { index >= bytes.count }

    mutating func advance() {
        let passed = bytes[index]
        index += 1
        if passed == UInt8(ascii: "\n") {
            line += 1
            column = 1
        } else if index >= bytes.count || bytes[index] & 0xC0 != 0x80 {
            column += 1
        }
    }

    func problem(
        _ code: JSON.Problem.Code, _ message: String, hint: String? = nil,
        at position: Position? = nil
    ) -> JSON.Problem {
        JSON.Problem(
            code: code, message: message, hint: hint, position: position ?? here,
            path: path.isEmpty ? nil : JSONPath(path))
    }

    mutating func document() throws(JSON.Problem) -> JSON {
        guard bytes.count <= limits.bytes else {
            throw problem(
                .tooLarge, "the text has \(bytes.count) bytes; \(limits.bytes) are allowed")
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            throw problem(
                message: "the text begins with a byte order mark", hint: "save it as plain UTF-8")
        }
        try requireUTF8()
        let value = try value(depth: 0)
        skipSpace()
        guard isAtEnd else {
            throw problem(message: "\(shownHere) follows the end of the document")
        }
        return value
    }

    func problem(message: String, hint: String? = nil, at position: Position? = nil)
        -> JSON.Problem
    {
        problem(.invalidJSON, message, hint: hint, at: position)
    }

    mutating func skipSpace() {
        while !isAtEnd {
            switch byte {
            case 0x20, 0x09, 0x0A, 0x0D: advance()
            default: return
            }
        }
    }

    mutating func value(depth: Int) throws(JSON.Problem) -> JSON {
        skipSpace()
        let start = here
        switch byte {
        case UInt8(ascii: "{"): return JSON(.object(try object(depth: depth + 1)), at: start)
        case UInt8(ascii: "["): return JSON(.array(try array(depth: depth + 1)), at: start)
        case UInt8(ascii: "\""): return JSON(.string(try string()), at: start)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return JSON(.number(try number()), at: start)
        default: return JSON(try word(), at: start)
        }
    }

    private mutating func object(depth: Int) throws(JSON.Problem) -> [JSON.Member] {
        try open(depth)
        var members: [JSON.Member] = []
        var seen: [String: Position] = [:]
        while try next(closing: "}", isFirst: members.isEmpty && seen.isEmpty) {
            let position = here
            let key = try self.key()
            path.append(.key(key))
            if let first = seen[key] {
                problems.append(
                    problem(
                        .duplicateKey, "the key \(JSON.quoted(key)) stands here a second time",
                        hint: "it was set in line \(first.line) already", at: position))
            }
            skipSpace()
            guard byte == UInt8(ascii: ":") else {
                throw problem(message: "expected ':' after the key, found \(shownHere)")
            }
            advance()
            let value = try self.value(depth: depth)
            if seen[key] == nil { members.append(JSON.Member(key, value, at: position)) }
            seen[key] = seen[key] ?? position
            path.removeLast()
        }
        return members
    }

    private mutating func array(depth: Int) throws(JSON.Problem) -> [JSON] {
        try open(depth)
        var items: [JSON] = []
        while try next(closing: "]", isFirst: items.isEmpty) {
            path.append(.index(items.count))
            items.append(try value(depth: depth))
            path.removeLast()
        }
        return items
    }

    private mutating func open(_ depth: Int) throws(JSON.Problem) {
        guard depth <= limits.depth else {
            // A path of so many steps helps nobody.
            throw JSON.Problem(
                code: .tooDeep, message: "nested deeper than \(limits.depth) levels",
                position: here)
        }
        advance()
    }

    /// Passes the separator before the next item; false once the closing bracket has been passed.
    private mutating func next(
        closing bracket: Character, isFirst: Bool
    ) throws(JSON.Problem) -> Bool {
        skipSpace()
        let close = bracket.asciiValue ?? 0
        if byte == close, !isAtEnd {
            advance()
            return false
        }
        if isFirst { return true }
        guard byte == UInt8(ascii: ",") else {
            throw problem(message: "expected ',' or '\(bracket)', found \(shownHere)")
        }
        let comma = here
        advance()
        skipSpace()
        guard byte != close || isAtEnd else {
            throw problem(
                message: "a comma stands before '\(bracket)'", hint: "remove the last comma",
                at: comma)
        }
        return true
    }

    private mutating func key() throws(JSON.Problem) -> String {
        guard byte == UInt8(ascii: "\"") else {
            throw problem(
                message: "expected a key in double quotes, found \(shownHere)", hint: hintHere)
        }
        return try string()
    }
}

extension JSON {
    /// How much a reader takes before it refuses a text.
    public struct Limits: Sendable {
        /// The longest text, in bytes.
        public var bytes: Int
        /// The deepest nesting of lists and objects.
        public var depth: Int

        /// Limits of a reader.
        public init(bytes: Int = 1 << 20, depth: Int = 64) {
            self.bytes = bytes
            self.depth = depth
        }
    }

    /// One thing that keeps a text from being read as JSON, and where.
    public struct Problem: Error, Sendable, Equatable {
        /// What kind of thing is wrong, with its name in kebab-case.
        public enum Code: String, Sendable, CaseIterable {
            /// The grammar of RFC 8259 is broken.
            case invalidJSON = "invalid-json"
            /// The text is not UTF-8.
            case invalidUTF8 = "invalid-utf8"
            /// The text is longer than ``Limits/bytes``.
            case tooLarge = "too-large"
            /// The text is nested deeper than ``Limits/depth``.
            case tooDeep = "too-deep"
            /// A key stands a second time in its object.
            case duplicateKey = "duplicate-key"
        }

        /// What kind of thing is wrong.
        public var code: Code
        /// What is wrong, in one sentence without a full stop.
        public var message: String
        /// What was probably meant.
        public var hint: String?
        /// Where it stands.
        public var position: Position
        /// The value it stands in; nil at the root.
        public var path: JSONPath?

        /// A problem with a text.
        public init(
            code: Code, message: String, hint: String? = nil, position: Position,
            path: JSONPath? = nil
        ) {
            self.code = code
            self.message = message
            self.hint = hint
            self.position = position
            self.path = path
        }
    }

    /// Everything that is wrong with a text.
    public struct ParsingError: Error, Sendable, Equatable {
        /// What is wrong, in the order of the text.
        public var problems: [Problem]

        /// These problems.
        public init(problems: [Problem]) { self.problems = problems }
    }

    /// What came of reading a text: a value, unless the grammar was broken, and every objection.
    ///
    /// A repeated key is an objection but not the end: the first one counts, and reading goes on.
    public struct Parsed: Sendable {
        /// The document; nil when the text is not JSON.
        public var value: JSON?
        /// What is wrong with it, in the order of the text.
        public var problems: [Problem]
    }

    /// Reads a document and reports everything that is wrong with it.
    ///
    /// Strict RFC 8259: no byte order mark, no comments, no trailing commas, no repeated keys, no
    /// lone surrogates, no invalid UTF-8.
    public static func parse(_ bytes: [UInt8], limits: Limits = Limits()) -> Parsed {
        var parser = JSONParser(bytes, limits: limits)
        do throws(JSON.Problem) {
            let value = try parser.document()
            return Parsed(value: value, problems: parser.problems)
        } catch {
            return Parsed(value: nil, problems: parser.problems + [error])
        }
    }

    /// Reads a document.
    ///
    /// - Throws: ``ParsingError`` with everything that is wrong, a repeated key included.
    public init(parsing bytes: [UInt8], limits: Limits = Limits()) throws(ParsingError) {
        let parsed = Self.parse(bytes, limits: limits)
        guard let value = parsed.value, parsed.problems.isEmpty else {
            throw ParsingError(problems: parsed.problems)
        }
        self = value
    }

    /// Reads a document.
    ///
    /// - Throws: ``ParsingError`` as ``init(parsing:limits:)`` does.
    public init(parsing text: String, limits: Limits = Limits()) throws(ParsingError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }
}

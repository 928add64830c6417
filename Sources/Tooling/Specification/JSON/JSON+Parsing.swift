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

    /// What came of reading a text: a value, unless the grammar was broken, and every objection.
    ///
    /// A repeated key is an objection but not the end: the first one counts, and reading goes on.
    public struct Parsed: Sendable {
        /// The document; nil when the text is not JSON.
        public var value: JSON?
        /// What is wrong with it, in the order of the text.
        public var problems: [Diagnostic]
    }

    /// Reads a document and reports everything that is wrong with it.
    ///
    /// Strict RFC 8259: no byte order mark, no comments, no trailing commas, no repeated keys, no
    /// lone surrogates, no invalid UTF-8.
    public static func parse(_ bytes: [UInt8], limits: Limits = Limits()) -> Parsed {
        var parser = JSONParser(bytes, limits: limits)
        do throws(Diagnostic) {
            let value = try parser.document()
            return Parsed(value: value, problems: parser.problems)
        } catch {
            return Parsed(value: nil, problems: parser.problems + [error])
        }
    }

    /// Reads a document.
    ///
    /// - Throws: ``Diagnostics`` with `invalid-json`, `invalid-utf8`, `duplicate-key`,
    ///   `too-large` or `too-deep`.
    public init(parsing bytes: [UInt8], limits: Limits = Limits()) throws(Diagnostics) {
        let parsed = Self.parse(bytes, limits: limits)
        guard let value = parsed.value, parsed.problems.isEmpty else {
            throw Diagnostics(parsed.problems)
        }
        self = value
    }

    /// Reads a document.
    ///
    /// - Throws: ``Diagnostics`` as ``init(parsing:limits:)`` does.
    public init(parsing text: String, limits: Limits = Limits()) throws(Diagnostics) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }
}

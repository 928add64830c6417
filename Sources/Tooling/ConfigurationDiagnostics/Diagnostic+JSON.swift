public import LocatedJSON

extension Diagnostic {
    /// What a reader of JSON objects to, for an operator.
    public init(_ problem: JSON.Problem) {
        let code: Code =
            switch problem.code {
            case .invalidJSON: .invalidJSON
            case .invalidUTF8: .invalidUTF8
            case .tooLarge: .tooLarge
            case .tooDeep: .tooDeep
            case .duplicateKey: .duplicateKey
            }
        self.init(
            code, problem.message, hint: problem.hint, at: problem.position, path: problem.path)
    }
}

extension Diagnostics {
    /// Everything that a reader of JSON objects to, for an operator.
    public init(_ error: JSON.ParsingError) { self.init(error.problems.map(Diagnostic.init)) }
}

extension Diagnostic.Code {
    /// The text is not JSON.
    public static let invalidJSON = Self(
        "invalid-json", "The text is not JSON.",
        """
        The grammar of RFC 8259 ends where the caret stands: a comma too many, a quote or a bracket \
        that is missing, a comment, a number such as 01. Reading stops there, so that there may be \
        more to find behind it. Editors that know JSON mark the same place.
        """,
        example: .file(at: "stages[2].trigger", #"{ "count": 512, }"#))

    /// The text is not UTF-8.
    public static let invalidUTF8 = Self(
        "invalid-utf8", "The text is not UTF-8.",
        """
        JSON is exchanged as UTF-8 and nothing else. The file was saved in another encoding, such as \
        Latin-1, or was damaged. Save it as UTF-8, without a byte order mark.
        """,
        example: .file(at: "name", bytes: Array(#""caf"#.utf8) + [0xE9, UInt8(ascii: "\"")]))

    /// The text is longer than allowed.
    public static let tooLarge = Self(
        "too-large", "The text is longer than allowed.",
        """
        A file of more than 1 MiB is not read at all: no pipeline needs as much, and whoever names \
        the wrong file (a dump, a log) shall hear so at once. Name the right one, or split the \
        pipeline in two.
        """,
        example: .file(at: "name", "\"\(String(repeating: "reports-", count: 1 << 17))\""))

    /// The text is nested deeper than allowed.
    public static let tooDeep = Self(
        "too-deep", "Lists and objects are nested deeper than allowed.",
        """
        Nothing in a pipeline file is nested deeper than a trigger in triggers; the limit of 64 levels \
        protects the reader against files that were made to break it. Flatten the value: an "any" in \
        an "any" is one "any".
        """,
        example: .file(
            at: "stages[2].trigger",
            String(repeating: "[", count: 65) + String(repeating: "]", count: 65)))

    /// A key stands twice in one object.
    public static let duplicateKey = Self(
        "duplicate-key", "A key stands twice in one object.",
        """
        JSON leaves open which of the two counts, and programs differ: what one person reads is not \
        what another's program does. Here neither is chosen. Remove one of them.
        """,
        example: .file(at: "stages[2].trigger", #"{ "count": 512, "count": 64 }"#))

    /// What can be wrong with any JSON text.
    public static let json: [Self] = [
        .invalidJSON, .invalidUTF8, .tooLarge, .tooDeep, .duplicateKey,
    ]
}

extension Diagnostic.Example {
    /// A file that is in order but for the bytes that stand at a path.
    static func file(at path: String, bytes: [UInt8]) -> Self {
        .files([Diagnostic.Part(path: path, bytes: bytes)])
    }
}

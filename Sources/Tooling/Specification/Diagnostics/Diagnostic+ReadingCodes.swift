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
}

extension Diagnostic.Example {
    /// A file that is in order but for the bytes that stand at a path.
    static func file(at path: String, bytes: [UInt8]) -> Self {
        .files([Diagnostic.Part(path: path, bytes: bytes)])
    }
}

extension Diagnostic.Code {
    /// Nobody reads this key.
    public static let unknownKey = Self(
        "unknown-key", "Nobody reads this key.",
        """
        A misspelt setting that is silently left out would run with its default, and be found in \
        production. So every key has to be one that somebody reads. The hint names the nearest one, \
        and all that are valid here; `penstock stages TYPE` explains those of a stage.
        """,
        example: .file(at: "stages[2].trigger", #"{ "cuont": 512 }"#))

    /// A key without a default was left out.
    public static let missingKey = Self(
        "missing-key", "A key that has no default is missing.",
        """
        There is no value that would be right for everybody, such as a stage's id or a resource's \
        url. Add the key; the hint says of what type, with an example.
        """,
        example: .file(at: "resources.bus", #"{ "security.protocol": "ssl" }"#))

    /// The value is of another type.
    public static let wrongType = Self(
        "wrong-type", "The value is of another type than the setting.",
        """
        A number stands where a text belongs, a text where an object does, or a duration has no unit. \
        Nothing is converted, since 10 might be seconds to one reader and minutes to another. Durations \
        and sizes are texts with a unit: "10m", "64MiB".
        """,
        example: .file(at: "stages[1].window", "10"))

    /// The value is of the right type but not one of those allowed.
    public static let invalidValue = Self(
        "invalid-value", "The value is of the right type, but not one that is allowed.",
        """
        The setting takes one of a few words, or a text of a certain form, and this is none of them. \
        The message names the form or the words; `penstock stages TYPE` lists them with what each does.
        """,
        example: .file(at: "stages[1].key", #""case-id""#))

    /// The value lies outside its bounds.
    public static let outOfRange = Self(
        "out-of-range", "The value lies outside its bounds.",
        """
        Below the least or above the greatest value the setting makes no sense, or would exhaust the \
        machine: a batch of no cases, a lease of no time. Choose a value within the bounds that the \
        message names.
        """,
        example: .file(at: "stages[2].max_batch", "0"))

    /// An environment variable is not set and has no default.
    public static let unknownEnvironment = Self(
        "unknown-environment", "An environment variable is not set and has no default.",
        """
        The value is to come from the environment, where there is none. `validate` only warns of it, \
        since the file may be meant for another machine; `validate --level env` and `run` refuse it. \
        Set the variable, or give a "default" beside "$env". An empty variable counts as not set.
        """,
        example: .file(at: "resources.bus.url", #"{ "$env": "PENSTOCK_BUS" }"#))

    /// A file named by `$file` cannot be read.
    public static let unreadableFile = Self(
        "unreadable-file", "A file can't be read.",
        """
        The file is not there, or this user may not read it: one that stands on the command line, or \
        one that "$file" names for a value. Relative paths count from the working directory. For \
        "$file", `validate` only warns, since the file may be meant for another machine.
        """,
        example: .file(at: "resources.store.url", #"{ "$file": "/run/secrets/no-such-file" }"#))

    /// A `$env` or `$file` object is not formed as it should be.
    public static let invalidSubstitution = Self(
        "invalid-substitution", "A $env or $file object is not formed as it should be.",
        """
        `{"$env": "NAME", "default": VALUE, "unit": "h"}` takes a value from the environment and \
        `{"$file": "PATH"}` from a file; "default" and "unit" may be left out. They stand for a text, a \
        number or a yes or no, never for an object or a list; nothing else may stand in the object.
        """,
        example: .file(at: "sla", #"{ "$env": "SLA", "default": "24h", "unit": 5 }"#))
}

extension Diagnostic.Code {
    /// What can be wrong with any document and any command line.
    public static let specification: [Self] = [
        .invalidJSON, .invalidUTF8, .tooLarge, .tooDeep, .duplicateKey,
        .unknownKey, .missingKey, .wrongType, .invalidValue, .outOfRange, .unknownEnvironment,
        .unreadableFile, .invalidSubstitution,
        .unknownCommand, .unknownOption, .missingOption, .missingValue, .missingArgument,
        .extraArgument, .repeatedOption, .conflictingOptions,
    ]
}

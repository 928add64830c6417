public import ConfigurationDiagnostics

extension Diagnostic.Code {
    /// Nobody reads this key.
    public static let unknownKey = Self(
        "unknown-key", "Nobody reads this key.",
        """
        A misspelt setting that is silently left out would run with its default, and be found in \
        production. So every key has to be one that somebody reads. The hint names the nearest \
        one, and all that are valid here; `penstock stages TYPE` explains those of a stage.
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
        A number stands where a text belongs, a text where an object does, or a duration has no \
        unit. Nothing is converted, since 10 might be seconds to one reader and minutes to \
        another. Durations and sizes are texts with a unit: "10m", "64MiB".
        """,
        example: .file(at: "stages[1].window", "10"))

    /// The value is of the right type but not one of those allowed.
    public static let invalidValue = Self(
        "invalid-value", "The value is of the right type, but not one that is allowed.",
        """
        The setting takes one of a few words, or a text of a certain form, and this is none of \
        them. The message names the form or the words; `penstock stages TYPE` lists them with what \
        each does.
        """,
        example: .file(at: "stages[1].key", #""case-id""#))

    /// The value lies outside its bounds.
    public static let outOfRange = Self(
        "out-of-range", "The value lies outside its bounds.",
        """
        Below the least or above the greatest value the setting makes no sense, or would exhaust \
        the machine: a batch of no cases, a lease of no time. Choose a value within the bounds \
        that the message names.
        """,
        example: .file(at: "stages[2].max_batch", "0"))

    /// An environment variable is not set and has no default.
    public static let unknownEnvironment = Self(
        "unknown-environment", "An environment variable is not set and has no default.",
        """
        The value is to come from the environment, where there is none. `validate` only warns of \
        it, since the file may be meant for another machine; `validate --level env` and `run` \
        refuse it. Set the variable, or give a "default" beside "$env". An empty variable counts \
        as not set.
        """,
        example: .file(at: "resources.bus.url", #"{ "$env": "PENSTOCK_BUS" }"#))

    /// A file named by `$file` cannot be read.
    public static let unreadableFile = Self(
        "unreadable-file", "A file can't be read.",
        """
        The file is not there, or this user may not read it: one that stands on the command line, \
        one that "$file" names for a value, or one that a connection needs, such as a certificate. \
        Relative paths count from the working directory. What the file names, `validate` only \
        warns of, since it may be meant for another machine; `validate --level env` and `run` \
        refuse it.
        """,
        example: .file(at: "resources.store.url", #"{ "$file": "/run/secrets/no-such-file" }"#))

    /// A `$env` or `$file` object is not formed as it should be.
    public static let invalidSubstitution = Self(
        "invalid-substitution", "A $env or $file object is not formed as it should be.",
        """
        `{"$env": "NAME", "default": VALUE, "unit": "h"}` takes a value from the environment and \
        `{"$file": "PATH"}` from a file; "default" and "unit" may be left out. They stand for a \
        text, a number or a yes or no, never for an object or a list; nothing else may stand in \
        the object.
        """,
        example: .file(at: "sla", #"{ "$env": "SLA", "default": "24h", "unit": 5 }"#))

    /// What can be wrong with the settings of any document.
    public static let settings: [Self] = [
        .unknownKey, .missingKey, .wrongType, .invalidValue, .outOfRange, .unknownEnvironment,
        .unreadableFile, .invalidSubstitution,
    ]
}

extension Diagnostic.Code {
    /// There is no such option.
    public static let unknownOption = Self(
        "unknown-option", "The command has no such option.",
        """
        An option that is silently left out would do something else than was asked for. The hint \
        names the nearest one; `--help` behind the command explains all. A file whose name begins \
        with a dash stands behind `--`.
        """,
        example: .commandLine(["validate", "--fromat", "json", "reports.json"]))

    /// An option without a default was left out.
    public static let missingOption = Self(
        "missing-option", "An option that has no default is missing.",
        "The command can't guess it. `--help` behind the command shows what it takes, and an example.",
        example: .commandLine(["report", "create"]))

    /// An option that takes one value stands more than once.
    public static let repeatedOption = Self(
        "repeated-option", "An option that takes one value stands more than once.",
        """
        Only one of the values could be used, and the others would be ignored. Leave all but one \
        out. `--help` behind the command says which options may be repeated.
        """,
        example: .commandLine(["dry-run", "--seed", "1", "--seed", "2", "reports.json"]))

    /// An option has no effect beside another one.
    public static let conflictingOptions = Self(
        "conflicting-options", "An option has no effect beside another one.",
        """
        The other option switches off what it is for, so that it would be ignored; but whoever \
        wrote it expects something of it. Leave one of the two out.
        """,
        example: .commandLine(
            ["dry-run", "--input", "trace.jsonl", "--arrivals", "burst 9 at 1h", "reports.json"]))

    /// An option stands without its value.
    public static let missingValue = Self(
        "missing-value", "An option stands without its value.",
        """
        The option takes a value, behind a space or an equals sign, and the command line ends \
        there. `--help` behind the command shows an example.
        """,
        example: .commandLine(["run", "reports.json", "--role"]))

    /// An argument was left out.
    public static let missingArgument = Self(
        "missing-argument", "An argument is missing.",
        "The command works on something, and it was not named. Its usage, in `--help`, says what.",
        example: .commandLine(["validate"]))

    /// More arguments than are read.
    public static let extraArgument = Self(
        "extra-argument", "There is an argument more than the command reads.",
        """
        Often a space that was to stand in quotes, or an option without its dashes. What nobody \
        reads is refused rather than left out.
        """,
        example: .commandLine(["stages", "ingest", "dedupe"]))

    /// What can be wrong with the options and arguments of any command.
    public static let arguments: [Self] = [
        .unknownOption, .missingOption, .missingValue, .missingArgument, .extraArgument,
        .repeatedOption, .conflictingOptions,
    ]
}

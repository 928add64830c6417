public import ConfigurationDiagnostics

extension Diagnostic.Code {
    /// There is no such option.
    public static let unknownOption = Self(
        "unknown-option", "The command has no such option.",
        """
        An option that is silently left out would do something else than was asked for. The hint names \
        the nearest one; `--help` behind the command explains all. A file whose name begins with a dash \
        stands behind `--`.
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
        Only one of the values could be used, and the others would be ignored. Leave all but one out. \
        `--help` behind the command says which options may be repeated.
        """,
        example: .commandLine(["dry-run", "--seed", "1", "--seed", "2", "reports.json"]))

    /// An option has no effect beside another one.
    public static let conflictingOptions = Self(
        "conflicting-options", "An option has no effect beside another one.",
        """
        The other option switches off what it is for, so that it would be ignored; but whoever wrote it \
        expects something of it. Leave one of the two out.
        """,
        example: .commandLine(
            ["dry-run", "--input", "trace.jsonl", "--arrivals", "burst 9 at 1h", "reports.json"]))

    /// An option stands without its value.
    public static let missingValue = Self(
        "missing-value", "An option stands without its value.",
        """
        The option takes a value, behind a space or an equals sign, and the command line ends there. \
        `--help` behind the command shows an example.
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
        Often a space that was to stand in quotes, or an option without its dashes. What nobody reads is \
        refused rather than left out.
        """,
        example: .commandLine(["stages", "ingest", "dedupe"]))

    /// What can be wrong with the options and arguments of any command.
    public static let arguments: [Self] = [
        .unknownOption, .missingOption, .missingValue, .missingArgument, .extraArgument,
        .repeatedOption, .conflictingOptions,
    ]
}

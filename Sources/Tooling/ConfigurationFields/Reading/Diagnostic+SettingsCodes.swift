public import ConfigurationDiagnostics

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

    /// What can be wrong with the settings of any document.
    public static let settings: [Self] = [
        .unknownKey, .missingKey, .wrongType, .invalidValue, .outOfRange, .unknownEnvironment,
        .unreadableFile, .invalidSubstitution,
    ]
}

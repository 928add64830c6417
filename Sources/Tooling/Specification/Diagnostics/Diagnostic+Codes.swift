extension Diagnostic.Code {
    /// The text is not JSON.
    public static let invalidJSON = Self(rawValue: "invalid-json")
    /// The text is not UTF-8.
    public static let invalidUTF8 = Self(rawValue: "invalid-utf8")
    /// The text is longer than allowed.
    public static let tooLarge = Self(rawValue: "too-large")
    /// The text is nested deeper than allowed.
    public static let tooDeep = Self(rawValue: "too-deep")
    /// A key stands twice in one object.
    public static let duplicateKey = Self(rawValue: "duplicate-key")
    /// Nobody reads this key.
    public static let unknownKey = Self(rawValue: "unknown-key")
    /// A key without a default was left out.
    public static let missingKey = Self(rawValue: "missing-key")
    /// The value is of another type.
    public static let wrongType = Self(rawValue: "wrong-type")
    /// The value is of the right type but not one of those allowed.
    public static let invalidValue = Self(rawValue: "invalid-value")
    /// The value lies outside its bounds.
    public static let outOfRange = Self(rawValue: "out-of-range")
    /// An environment variable is not set and has no default.
    public static let unknownEnvironment = Self(rawValue: "unknown-environment")
    /// A file named by `$file` cannot be read.
    public static let unreadableFile = Self(rawValue: "unreadable-file")
    /// A `$env` or `$file` object is not formed as it should be.
    public static let invalidSubstitution = Self(rawValue: "invalid-substitution")

    /// There is no such command.
    public static let unknownCommand = Self(rawValue: "unknown-command")
    /// There is no such option.
    public static let unknownOption = Self(rawValue: "unknown-option")
    /// An option without a default was left out.
    public static let missingOption = Self(rawValue: "missing-option")
    /// An option stands without its value.
    public static let missingValue = Self(rawValue: "missing-value")
    /// An argument was left out.
    public static let missingArgument = Self(rawValue: "missing-argument")
    /// More arguments than are read.
    public static let extraArgument = Self(rawValue: "extra-argument")
}

/// One setting as it was decoded: what it is, where it came from, and whether it may be shown.
public struct DecodedSetting: Sendable {
    /// Where a value came from.
    public enum Origin: Sendable, Equatable {
        /// It stands in the document.
        case document
        /// It was left out, or its variable was not set.
        case fallback
        /// A variable.
        case environment(String)
        /// A file.
        case file(String)
        /// An option or an argument.
        case commandLine
    }

    /// The way to the setting.
    public var path: JSONPath
    /// Where its value stood; nil for a default.
    public var position: Position?
    /// Its value as written, secret or not: for the program, not for people.
    public var text: String
    /// Where the value came from.
    public var origin: Origin
    /// Whether the value must never be printed.
    public var isSecret: Bool
    /// What kinds of thing the value names, see ``FieldValue/refersTo``.
    public var refersTo: [String]

    /// The value for people: `(secret)` if it is, and never with credentials.
    public var shown: String { isSecret ? "(secret)" : Redaction.withoutCredentials(text) }
}

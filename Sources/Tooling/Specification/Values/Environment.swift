/// Where `$env` and `$file` are looked up: injected, so that decoding touches nothing by itself.
public struct Environment: Sendable {
    /// What a variable without a value and without a default is.
    public enum Missing: Sendable {
        /// An error: the settings are to be used.
        case error
        /// A warning: the settings are only looked at, on another machine than theirs.
        case warning
    }

    /// The variables by name.
    public var variables: [String: String]
    /// What a missing variable or file is.
    public var missing: Missing
    /// Reads a file named by `$file`, or throws what is wrong with it.
    public var readFile: @Sendable (_ path: String) throws -> String

    /// An environment; without a reader every `$file` is missing.
    public init(
        variables: [String: String] = [:], missing: Missing = .error,
        readFile: @escaping @Sendable (_ path: String) throws -> String = { path in
            throw Diagnostic(.unreadableFile, "files cannot be read here")
        }
    ) {
        self.variables = variables
        self.missing = missing
        self.readFile = readFile
    }

    /// No variables and no files.
    public static let empty = Environment()

    /// A variable's value; one that is empty counts as not set, as Compose passes it on.
    public func value(of variable: String) -> String? {
        variables[variable].flatMap { $0.isEmpty ? nil : $0 }
    }
}

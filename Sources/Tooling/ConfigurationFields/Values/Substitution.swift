public import ConfigurationDiagnostics
public import LocatedJSON

/// A value that stands elsewhere: `{"$env": "NAME", "default": 12, "unit": "h"}` or
/// `{"$file": "PATH"}`.
struct Substitution {
    enum Place { case environment, file }

    static let environmentKey = "$env"
    static let fileKey = "$file"

    var place: Place
    var name: String
    var fallback: JSON?
    var unit: String?

    /// Whether an object means a substitution, well-formed or not.
    static func isMeant(by json: JSON) -> Bool {
        json.members?.contains { $0.key == environmentKey || $0.key == fileKey } ?? false
    }

    /// Reads the substitution, or reports what is wrong with it.
    init?(_ json: JSON, in context: DecodingContext) {
        let members = json.members ?? []
        let place: Place = json[Self.environmentKey] == nil ? .file : .environment
        let key = place == .file ? Self.fileKey : Self.environmentKey
        let valid = place == .file ? [Self.fileKey] : [Self.environmentKey, "default", "unit"]
        var isValid = true
        for member in members where !valid.contains(member.key) {
            context.at(member.key).report(
                .unknownKey, "unknown key \(JSON.quoted(member.key))",
                hint: Suggestion.hint(for: member.key, among: valid), at: member.position)
            isValid = false
        }
        for required in [key, "unit"] {
            guard let value = json[required] else { continue }
            guard let text = value.string, !text.isEmpty else {
                context.at(required).report(
                    .invalidSubstitution, "expected text, found \(value.kind)", at: value.position)
                isValid = false
                continue
            }
        }
        guard isValid, let name = json[key]?.string else { return nil }
        self.place = place
        self.name = name
        self.fallback = json["default"]
        self.unit = json["unit"]?.string
    }

    /// What a value is, or a substitution for it.
    static func schema(besides schema: JSON) -> JSON {
        ["anyOf": [schema, ["$ref": "#/$defs/substitution"]]]
    }

    /// The schema of a substitution, under the name every schema of ours refers to it by.
    static let definition: JSON = [
        "description": "A value from the environment or a file.",
        "oneOf": [
            [
                "type": "object", "additionalProperties": false,
                "required": [.string(environmentKey)],
                "properties": [
                    environmentKey: [
                        "type": "string", "minLength": 1, "description": "The variable's name.",
                    ],
                    "default": ["description": "The value when the variable is not set."],
                    "unit": [
                        "type": "string",
                        "description": "The unit of a number without one, for example h.",
                    ],
                ],
            ],
            [
                "type": "object", "additionalProperties": false, "required": [.string(fileKey)],
                "properties": [
                    fileKey: [
                        "type": "string", "minLength": 1,
                        "description": "A file that holds the value; never printed.",
                    ]
                ],
            ],
        ],
    ]
}

/// A place of a document whose value stands elsewhere: `{"$env": "NAME"}` or `{"$file": "PATH"}`.
public struct SubstitutionReference: Sendable, Equatable {
    /// Where the value stands.
    public enum Place: Sendable, Equatable {
        /// In a variable of that name.
        case environment(String)
        /// In a file at that path.
        case file(String)
    }

    /// Where the value stands.
    public var place: Place
    /// The way to the value that is replaced.
    public var path: JSONPath
    /// Where the reference stands in the text.
    public var position: Position?
    /// Whether there is a value for a variable that is not set.
    public var hasDefault: Bool

    /// Whether a value from here is a secret by its name, or by the name of what it is for.
    public var isNamedAsSecret: Bool {
        if case .environment(let name) = place, Redaction.isNameOfSecret(name) { return true }
        return path.steps.contains { step in
            if case .key(let key) = step { Redaction.isNameOfSecret(key) } else { false }
        }
    }
}

extension JSON {
    /// Every well-formed reference in the document, in the order of the text.
    public var references: [SubstitutionReference] { references(below: .root) }

    private func references(below path: JSONPath) -> [SubstitutionReference] {
        for (key, isFile) in [(Substitution.environmentKey, false), (Substitution.fileKey, true)] {
            guard let name = self[key]?.string, !name.isEmpty else { continue }
            return [
                SubstitutionReference(
                    place: isFile ? .file(name) : .environment(name), path: path,
                    position: position, hasDefault: self["default"] != nil)
            ]
        }
        if let items {
            return items.enumerated().flatMap { $1.references(below: path.appending($0)) }
        }
        return (members ?? []).flatMap { $0.value.references(below: path.appending($0.key)) }
    }
}

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

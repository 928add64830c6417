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

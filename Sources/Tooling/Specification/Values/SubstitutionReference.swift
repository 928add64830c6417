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

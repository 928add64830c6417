internal import Identity
internal import PipelineCore

extension CredentialSources {
    private static let jwtNames = ["jwks", "issuer", "audience", "role_claim", "subject_claim"]

    /// Reads the properties `tokens` and `jwt` of an API's address.
    ///
    /// - Throws: ``PipelineError`` `invalid-resource` for others, and for what is missing.
    init(_ address: ResourceAddress) throws(PipelineError) {
        self.init()
        func invalid(_ reason: String) -> PipelineError {
            .fatal(.invalidResource, "\(address): \(reason)")
        }
        var jwt: [String: String] = [:]
        for (name, value) in address.properties.sorted(by: { $0.key < $1.key }) {
            let part = name.hasPrefix("jwt.") ? String(name.dropFirst(4)) : nil
            guard part.map(Self.jwtNames.contains) ?? (name == "tokens") else {
                let known = ["tokens"] + Self.jwtNames.map { "jwt.\($0)" }
                throw invalid(
                    "an API has no property \"\(name)\": there are \(known.joined(separator: ", "))"
                )
            }
            if value.isEmpty { throw invalid("\"\(name)\" is empty") }
            if let part { jwt[part] = value } else { tokens = value }
        }
        if jwt.isEmpty { return }
        guard let keys = jwt["jwks"], let issuer = jwt["issuer"], let audience = jwt["audience"]
        else { throw invalid("\"jwt\" needs jwks, issuer and audience") }
        var rules = JWTRules(keys: keys, issuer: issuer, audience: audience)
        if let claim = jwt["role_claim"] { rules.roleClaim = claim }
        if let claim = jwt["subject_claim"] { rules.subjectClaim = claim }
        self.jwt = rules
    }

    /// The files, by the properties that name them.
    var files: [ResourceFile] {
        [("tokens", tokens), ("jwt", jwt?.keys)].compactMap { property, path in
            path.map { ResourceFile(property: property, path: $0) }
        }
    }
}

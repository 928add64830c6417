internal import LocatedJSON

/// A [JSON Web Token](https://www.rfc-editor.org/rfc/rfc7519) in its compact form, whose
/// signature holds.
///
/// By the advice of [RFC 8725](https://www.rfc-editor.org/rfc/rfc8725): a key is good for one
/// algorithm, the header chooses among the file's keys and nothing else, and whatever it says of
/// other keys is not looked at.
struct JSONWebToken: Sendable {
    /// How far the issuer's clock may be off, in seconds.
    static let leeway: Int64 = 30
    /// No name of a key is longer.
    private static let mostNameBytes = 256

    private let claims: JSON

    /// - Parameter text: what looks like a token: three parts with dots between.
    /// - Throws: ``CredentialRefusal`` for one that is not signed by one of the keys.
    init(_ text: String, signedBy keys: KeySet) throws(CredentialRefusal) {
        let bytes = text.utf8
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.object(parts[0]),
            let signature = Base64URL.decoded(parts[2])
        else { throw CredentialRefusal("it is no JSON Web Token") }
        guard header["crit"] == nil else {
            throw CredentialRefusal("its header has extensions that are not known here")
        }
        guard let name = header["kid"]?.string, name.utf8.count <= Self.mostNameBytes else {
            throw CredentialRefusal("its header names no key")
        }
        guard let key = keys[name] else {
            throw CredentialRefusal("its key is not in the file of keys")
        }
        guard header["alg"]?.string == key.algorithm.rawValue else {
            throw CredentialRefusal("its algorithm is not that of its key")
        }
        guard key.verifies(signature, of: bytes[..<parts[1].endIndex]) else {
            throw CredentialRefusal("its signature does not hold")
        }
        // Nobody's claims are looked at before it is known whose they are.
        guard let claims = Self.object(parts[1]) else {
            throw CredentialRefusal("its claims are no JSON object")
        }
        self.claims = claims
    }

    /// Whom it is made out for, and until when it is good, in seconds since 1970.
    ///
    /// - Parameter now: seconds since 1970.
    /// - Throws: ``CredentialRefusal``.
    func caller(
        by rules: JWTRules, at now: Int64
    ) throws(CredentialRefusal) -> (caller: Caller, end: Int64) {
        guard claims["iss"]?.string == rules.issuer else {
            throw CredentialRefusal("it is another issuer's")
        }
        guard isFor(rules.audience) else { throw CredentialRefusal("it is for another audience") }
        guard let expiry = seconds("exp") else { throw CredentialRefusal("it has no exp") }
        let end = expiry + Self.leeway
        guard now < end else { throw CredentialRefusal("it has expired") }
        if claims["nbf"] != nil {
            guard let begin = seconds("nbf"), begin <= now + Self.leeway else {
                throw CredentialRefusal("it is not good yet")
            }
        }
        guard let subject = claims[rules.subjectClaim]?.string,
            Caller.objection(to: subject) == nil
        else { throw CredentialRefusal("it names no subject") }
        guard let role = role(rules.roleClaim) else {
            throw CredentialRefusal("it names no role, or several")
        }
        return (Caller(subject: subject, role: role), end)
    }

    private func isFor(_ audience: String) -> Bool {
        guard let said = claims["aud"] else { return false }
        return said.string == audience || said.items?.contains { $0.string == audience } ?? false
    }

    /// A moment, towards the past where it has a fraction; `nil` for what is none.
    private func seconds(_ claim: String) -> Int64? {
        guard case .number(let text)? = claims[claim]?.value, let value = Double(text),
            (0...1e12).contains(value)
        else { return nil }
        return Int64(value)
    }

    private func role(_ claim: String) -> Role? {
        let said = claims[claim].map { $0.items ?? [$0] } ?? []
        let roles = Set(said.compactMap { $0.string.flatMap { Role(rawValue: $0) } })
        return roles.count == 1 ? roles.first : nil
    }

    private static func object(_ part: some Collection<UInt8>) -> JSON? {
        guard let bytes = Base64URL.decoded(part) else { return nil }
        let parsed = JSON.parse(bytes)
        guard parsed.problems.isEmpty, parsed.value?.members != nil else { return nil }
        return parsed.value
    }
}

/// Which [JSON Web Tokens](https://www.rfc-editor.org/rfc/rfc7519) let somebody in.
public struct JWTRules: Sendable, Equatable {
    /// The file of the issuer's keys, a
    /// [JSON Web Key Set](https://www.rfc-editor.org/rfc/rfc7517#section-5).
    public var keys: String
    /// What `iss` has to be.
    public var issuer: String
    /// What `aud` has to be, or to have among others.
    public var audience: String
    /// The claim that names the role: a text, or a list of texts with one role among them.
    public var roleClaim = "role"
    /// The claim that names the subject.
    public var subjectClaim = "sub"

    /// Rules with the usual claims.
    public init(keys: String, issuer: String, audience: String) {
        self.keys = keys
        self.issuer = issuer
        self.audience = audience
    }
}

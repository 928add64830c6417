internal import Synchronization

/// Where credentials are looked up.
public struct CredentialSources: Sendable, Equatable {
    /// The file of tokens, as ``TokenFile`` reads it.
    public var tokens: String?
    /// Which JSON Web Tokens are good.
    public var jwt: JWTRules?

    /// No sources.
    public init() {}

    /// Whether nobody is asked who he is.
    public var isEmpty: Bool { tokens == nil && jwt == nil }
}

/// Tells who calls by the credential that comes with a call.
///
/// What was found good is remembered, by its digest and until it ends, so that no signature is
/// checked twice. The files are looked at once a second at most, when somebody calls, and read when
/// they have changed; everything is forgotten then. One that can't be used any more changes
/// nothing.
public final class Authenticator: Sendable {
    /// What has become of a file that has changed.
    public enum Change: Sendable {
        /// It counts from now on.
        case read(path: String)
        /// What was in it before goes on to count.
        case refused(CredentialFileError)
    }

    private struct State {
        var tokens: [String: TokenRecord] = [:]
        var keys: KeySet?
        var tokenStamp: CredentialFile.Stamp?
        var keyStamp: CredentialFile.Stamp?
        /// The second in which the files were looked at last.
        var lookedAt: Int64
        var verified: [SHA256Digest: Verified] = [:]
        /// Which content of the files `verified` is of.
        var generation = 0
    }

    private struct Verified {
        var caller: Caller
        /// In seconds since 1970; `nil` for what does not end.
        var end: Int64?
    }

    /// Credentials that are remembered.
    private static let mostVerified = 10_000
    /// No credential is longer.
    private static let mostBytes = 8 << 10

    private let sources: CredentialSources
    private let now: @Sendable () -> Int64
    private let onChange: @Sendable (Change) -> Void
    private let state: Mutex<State>

    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - onChange: told of each other content of a file.
    /// - Throws: ``CredentialFileError`` for a file that can't be used.
    public init(
        _ sources: CredentialSources, now: @escaping @Sendable () -> Int64,
        onChange: @escaping @Sendable (Change) -> Void
    ) throws(CredentialFileError) {
        self.sources = sources
        self.now = now
        self.onChange = onChange
        var first = State(lookedAt: now())
        if let path = sources.tokens {
            first.tokenStamp = CredentialFile.Stamp(of: path)
            first.tokens = try Self.tokens(path)
        }
        if let path = sources.jwt?.keys {
            first.keyStamp = CredentialFile.Stamp(of: path)
            first.keys = try KeySet(path: path)
        }
        state = Mutex(first)
    }

    /// How many credentials the files hold, for people: `2 tokens, 1 key`.
    public var summary: String {
        let (tokens, keys) = state.withLock { ($0.tokens.count, $0.keys?.count) }
        let parts = [
            sources.tokens.map { _ in "\(tokens) \(tokens == 1 ? "token" : "tokens")" },
            keys.map { "\($0) \($0 == 1 ? "key" : "keys") for JWTs" },
        ]
        return parts.compactMap(\.self).joined(separator: ", ")
    }

    /// Who calls.
    ///
    /// - Parameter authorization: the value of the metadata key `authorization`.
    /// - Throws: ``CredentialRefusal`` without a credential that is good now.
    public func caller(_ authorization: [UInt8]?) throws(CredentialRefusal) -> Caller {
        guard let authorization else { throw CredentialRefusal("there is no credential") }
        let now = now()
        lookAtFiles(now)
        guard authorization.count <= Self.mostBytes,
            let credential = Self.credential(authorization)
        else { throw CredentialRefusal("it is no bearer token") }
        let digest = SHA256Digest(of: credential)
        let known = state.withLock { $0.verified[digest] }
        if let known, known.end.map({ now < $0 }) ?? true { return known.caller }
        let (verified, generation) = try verify(credential, now)
        state.withLock { state in
            guard state.generation == generation else { return }
            if state.verified.count >= Self.mostVerified { state.verified.removeAll() }
            state.verified[digest] = verified
        }
        return verified.caller
    }

    /// What follows `Bearer`, in any case
    /// ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-11.1)), and a space.
    private static func credential(_ value: [UInt8]) -> ArraySlice<UInt8>? {
        let scheme = Array("bearer ".utf8)
        guard value.count > scheme.count,
            zip(value, scheme).allSatisfy({ $0 | ($1 == 0x20 ? 0 : 0x20) == $1 })
        else { return nil }
        return value[scheme.count...].drop { $0 == 0x20 }
    }

    private func verify(
        _ credential: ArraySlice<UInt8>, _ now: Int64
    ) throws(CredentialRefusal) -> (Verified, generation: Int) {
        guard let text = String(validating: credential, as: UTF8.self) else {
            throw CredentialRefusal("it is no text")
        }
        if let rules = sources.jwt, credential.contains(UInt8(ascii: ".")) {
            let (keys, generation) = state.withLock { ($0.keys, $0.generation) }
            guard let keys else { throw CredentialRefusal("there are no keys") }
            let (caller, end) = try JSONWebToken(text, signedBy: keys).caller(by: rules, at: now)
            return (Verified(caller: caller, end: end), generation)
        }
        guard sources.tokens != nil, let token = BearerToken(text) else {
            throw CredentialRefusal("it is no token of a known form")
        }
        let (record, generation) = state.withLock { ($0.tokens[token.id], $0.generation) }
        guard let record else { throw CredentialRefusal("the token is not in the file of tokens") }
        guard record.digest.matches(token.digest) else {
            throw CredentialRefusal("the token's secret is another one")
        }
        if record.hasExpired(at: now) { throw CredentialRefusal("the token has expired") }
        return (Verified(caller: record.caller, end: record.expires), generation)
    }

    // MARK: Files

    private func lookAtFiles(_ now: Int64) {
        let due = state.withLock { state -> (CredentialFile.Stamp?, CredentialFile.Stamp?)? in
            if state.lookedAt == now { return nil }
            state.lookedAt = now
            return (state.tokenStamp, state.keyStamp)
        }
        guard let due else { return }
        if let path = sources.tokens {
            renew(path, due.0, \.tokenStamp) { () throws(CredentialFileError) in
                let tokens = try Self.tokens(path)
                return { $0.tokens = tokens }
            }
        }
        if let path = sources.jwt?.keys {
            renew(path, due.1, \.keyStamp) { () throws(CredentialFileError) in
                let keys = try KeySet(path: path)
                return { $0.keys = keys }
            }
        }
    }

    /// - Parameter read: reads the file, and answers what puts its content in place.
    private func renew(
        _ path: String, _ known: CredentialFile.Stamp?,
        _ place: WritableKeyPath<State, CredentialFile.Stamp?>,
        _ read: () throws(CredentialFileError) -> (inout State) -> Void
    ) {
        let stamp = CredentialFile.Stamp(of: path)
        if stamp == known { return }
        do throws(CredentialFileError) {
            let change = try read()
            state.withLock { state in
                change(&state)
                state[keyPath: place] = stamp
                state.verified.removeAll()
                state.generation += 1
            }
            onChange(.read(path: path))
        } catch {
            state.withLock { $0[keyPath: place] = stamp }
            onChange(.refused(error))
        }
    }

    private static func tokens(
        _ path: String
    ) throws(CredentialFileError) -> [String: TokenRecord] {
        let records = try TokenFile(path: path).records
        return Dictionary(records.map { ($0.id, $0) }) { first, _ in first }
    }
}

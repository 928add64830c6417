internal import Calendar
internal import LocatedJSON

/// A token as the file keeps it: whose it is, and a digest of its secret.
public struct TokenRecord: Sendable, Equatable {
    /// What names it.
    public let id: String
    let digest: SHA256Digest
    /// Whose it is, and what it allows.
    public let caller: Caller
    /// When it was made, in seconds since 1970.
    let created: Int64
    /// When it ends, in seconds since 1970; `nil` for one that does not.
    let expires: Int64?

    /// When it was made, as RFC 3339 has it.
    public var createdText: String { UTCTime.text(of: created) }
    /// When it ends, as RFC 3339 has it; `nil` for one that does not.
    public var expiresText: String? { expires.map(UTCTime.text) }

    /// Whether it has ended.
    ///
    /// - Parameter now: seconds since 1970.
    public func hasExpired(at now: Int64) -> Bool { expires.map { $0 <= now } ?? false }
}

/// The tokens of a file.
///
/// Whoever reads it learns no token: it has the digests of random secrets alone.
public struct TokenFile: Sendable, Equatable {
    private static let version = 1
    static let maxBytes = 16 << 20

    /// In the order in which they were made.
    public private(set) var records: [TokenRecord] = []

    private init() {}

    /// Reads a file.
    ///
    /// - Throws: ``CredentialFileError`` for one that can't be read, or is no such file.
    public init(path: String) throws(CredentialFileError) {
        try self.init(
            parsing: try CredentialFile.read(path, maxBytes: Self.maxBytes), of: path)
    }

    /// - Parameter path: named in errors.
    init(parsing bytes: [UInt8], of path: String) throws(CredentialFileError) {
        let parsed = JSON.parse(bytes, limits: JSON.Limits(bytes: Self.maxBytes))
        guard parsed.problems.isEmpty, let root = parsed.value else {
            let problem = parsed.problems.first.map { " (line \($0.position.line))" }
            throw CredentialFileError(path, "is not JSON\(problem ?? "")")
        }
        guard root["version"]?.scalarText == "\(Self.version)", let items = root["tokens"]?.items
        else {
            throw CredentialFileError(
                path, "is no file of tokens: it has no \"version\": \(Self.version) and \"tokens\"")
        }
        var ids: Set<String> = []
        for item in items {
            guard let record = TokenRecord(item), ids.insert(record.id).inserted else {
                let line = item.position.map { " in line \($0.line)" } ?? ""
                throw CredentialFileError(
                    path, "the token\(line) is not one that `penstock token create` writes")
            }
            records.append(record)
        }
    }

    /// Makes a token and keeps its digest in the file, which is made if it is not there.
    ///
    /// - Parameters:
    ///   - lifetime: how long it is good for, in seconds; `nil` for ever.
    ///   - now: seconds since 1970.
    /// - Returns: the token, which nobody can tell again, and what is kept of it.
    /// - Throws: ``CredentialFileError``.
    public static func create(
        in path: String, for caller: Caller, lifetime: Int64?, now: Int64
    ) throws(CredentialFileError) -> (token: String, record: TokenRecord) {
        guard let token = BearerToken.random() else {
            throw CredentialFileError(path, "the system has no random bytes to give")
        }
        let record = TokenRecord(
            id: token.id, digest: token.digest, caller: caller, created: now,
            expires: lifetime.map { now + $0 })
        try change(path, mayBeNew: true) { file in file.records.append(record) }
        return (token.text, record)
    }

    /// Takes a token out of the file: nobody is let in by it any more.
    ///
    /// - Returns: what was kept of it; `nil` where there is none of that id.
    /// - Throws: ``CredentialFileError``.
    public static func revoke(
        _ id: String, in path: String
    ) throws(CredentialFileError) -> TokenRecord? {
        var revoked: TokenRecord?
        try change(path, mayBeNew: false) { file in
            guard let index = file.records.firstIndex(where: { $0.id == id }) else { return }
            revoked = file.records.remove(at: index)
        }
        return revoked
    }

    /// One at a time, whoever does it.
    private static func change(
        _ path: String, mayBeNew: Bool, _ body: (inout TokenFile) -> Void
    ) throws(CredentialFileError) {
        try CredentialFile.withLock(on: path) { () throws(CredentialFileError) in
            var file = TokenFile()
            if !mayBeNew || CredentialFile.isThere(path) { file = try TokenFile(path: path) }
            let before = file
            body(&file)
            if file != before { try CredentialFile.replace(path, by: Array(file.text.utf8)) }
        }
    }

    private var text: String {
        let root: JSON = .object([
            ("version", .number(Self.version)), ("tokens", .array(records.map(\.json))),
        ])
        return root.written(.pretty) + "\n"
    }
}

extension TokenRecord {
    fileprivate init?(_ json: JSON) {
        guard let id = json["id"]?.string, BearerToken.isID(id),
            let digest = json["sha256"]?.string.flatMap({ SHA256Digest(hex: $0) }),
            let subject = json["subject"]?.string, Caller.objection(to: subject) == nil,
            let role = json["role"]?.string.flatMap({ Role(rawValue: $0) }),
            let created = json["created"]?.string.flatMap(UTCTime.seconds)
        else { return nil }
        var expires: Int64?
        if let written = json["expires"] {
            guard let time = written.string.flatMap(UTCTime.seconds) else { return nil }
            expires = time
        }
        self.init(
            id: id, digest: digest, caller: Caller(subject: subject, role: role),
            created: created, expires: expires)
    }

    fileprivate var json: JSON {
        let members: [(String, JSON)] = [
            ("id", .string(id)), ("sha256", .string(digest.hex)),
            ("subject", .string(caller.subject)), ("role", .string(caller.role.rawValue)),
            ("created", .string(createdText)),
        ]
        return .object(members + (expiresText.map { [("expires", .string($0))] } ?? []))
    }
}

/// Whole seconds in UTC, as RFC 3339 writes them: `2026-11-24T06:00:07Z`.
enum UTCTime {
    static func text(of seconds: Int64) -> String {
        CivilTime(microsecondsSinceEpoch: seconds * 1_000_000).rfc3339(.microsecondsUnlessZero)
    }

    /// `nil` for every other form.
    static func seconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == 20 else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            Int64(String(decoding: bytes[range], as: UTF8.self))
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19)
        else { return nil }
        let days = CivilDate(year: year, month: month, day: day).daysSinceEpoch
        let seconds = days * 86_400 + hour * 3600 + minute * 60 + second
        // A 30th of February, a plus sign or another separator is written in another way.
        return self.text(of: seconds) == text ? seconds : nil
    }
}

/// A token as its owner has it: `pnst_<id>_<secret>`.
///
/// The id names it in files, lists and logs; the secret is 256 random bits, which nobody but the
/// owner keeps.
struct BearerToken: Sendable {
    private static let prefix = "pnst_"
    private static let idBytes = 6
    private static let secretBytes = 32

    let id: String
    private let secret: Substring.UTF8View

    /// What the owner presents.
    var text: String { "\(Self.prefix)\(id)_\(Substring(secret))" }

    /// What is kept of the secret.
    var digest: SHA256Digest { SHA256Digest(of: secret) }

    /// A new one; `nil` where the system has no random bytes to give.
    static func random() -> BearerToken? {
        guard let id = RandomBytes.make(idBytes), let secret = RandomBytes.make(secretBytes) else {
            return nil
        }
        return BearerToken(
            "\(prefix)\(Hexadecimal.encoded(id))_\(Hexadecimal.encoded(secret))")
    }

    /// `nil` for what does not look like one.
    init?(_ text: String) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let parts = text.dropFirst(Self.prefix.count).split(
            separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 2, Self.isID(parts[0]),
            parts[1].utf8.count == Self.secretBytes * 2
        else { return nil }
        id = String(parts[0])
        secret = parts[1].utf8
    }

    static func isID(_ text: some StringProtocol) -> Bool {
        text.utf8.count == idBytes * 2 && Hexadecimal.decoded(String(text)) != nil
    }
}

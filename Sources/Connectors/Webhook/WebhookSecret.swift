internal import COpenSSL
internal import PipelineCore

/// A secret that sender and receiver share, and what it signs, by
/// [Standard Webhooks](https://www.standardwebhooks.com).
///
/// Its description does not show it.
struct WebhookSecret: Sendable, Hashable, CustomStringConvertible {
    private static let prefix = "whsec_"
    /// How many bytes the specification asks for.
    private static let lengths = 24...64

    private let key: [UInt8]

    /// Reads `whsec_` and the key's bytes in base64; `nil` for anything else.
    init?(_ text: String) {
        guard text.hasPrefix(Self.prefix),
            let key = Self.base64Decoded(Array(text.utf8.dropFirst(Self.prefix.utf8.count))),
            Self.lengths.contains(key.count)
        else { return nil }
        self.key = key
    }

    /// What follows a text that is none, in a sentence.
    static let form =
        "\(prefix) and \(lengths.lowerBound) to \(lengths.upperBound) bytes in base64"

    var description: String { "\(Self.prefix)***" }

    /// `v1,` and the HMAC-SHA256 of `id.seconds.body` in base64.
    func signature(of id: String, at seconds: Int64, _ body: Bytes) -> String {
        let content = Array("\(id).\(seconds).".utf8) + body
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        let made = unsafe HMAC(
            EVP_sha256(), key, Int32(key.count), content, content.count, &digest, &length)
        precondition(unsafe made != nil, "OpenSSL has no HMAC with SHA-256")
        return "v1,\(Self.base64(Array(digest[..<Int(length)])))"
    }

    private static func base64(_ bytes: [UInt8]) -> String {
        var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
        let count = unsafe EVP_EncodeBlock(&text, bytes, Int32(bytes.count))
        return String(decoding: text[..<Int(count)], as: UTF8.self)
    }

    /// `nil` for what is not base64 with its padding: OpenSSL reads more than that.
    private static func base64Decoded(_ text: [UInt8]) -> [UInt8]? {
        let padding = text.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard text.count % 4 == 0, padding <= 2, text.dropLast(padding).allSatisfy(isDigit) else {
            return nil
        }
        var bytes = [UInt8](repeating: 0, count: text.count / 4 * 3 + 1)
        let count = unsafe EVP_DecodeBlock(&bytes, text, Int32(text.count))
        return count < padding ? nil : Array(bytes[..<(Int(count) - padding)])
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}

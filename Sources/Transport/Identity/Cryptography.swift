internal import CLibcrypto

/// A SHA-256 digest.
struct SHA256Digest: Sendable, Hashable {
    private static let size = 32
    private let words: (UInt64, UInt64, UInt64, UInt64)

    /// That of the bytes.
    init(of bytes: some Collection<UInt8>) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        let bytes = Array(bytes)
        unsafe withUnsafeMutableBytes(of: &words) { words in
            let place = unsafe words.bindMemory(to: UInt8.self).baseAddress
            unsafe _ = SHA256(bytes, bytes.count, place)
        }
        self.words = words
    }

    /// One that was written as ``hex``; `nil` for anything else.
    init?(hex: String) {
        guard let bytes = Hexadecimal.decoded(hex), bytes.count == Self.size else { return nil }
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyBytes(from: bytes) }
        self.words = words
    }

    /// In 64 lower-case digits.
    var hex: String {
        var words = words
        return unsafe withUnsafeBytes(of: &words) { unsafe Hexadecimal.encoded($0) }
    }

    /// In a time that does not depend on where they differ.
    func matches(_ other: SHA256Digest) -> Bool {
        var (one, two) = (words, other.words)
        return unsafe withUnsafeBytes(of: &one) { one in
            unsafe withUnsafeBytes(of: &two) { two in
                unsafe CRYPTO_memcmp(one.baseAddress, two.baseAddress, Self.size) == 0
            }
        }
    }

    static func == (one: SHA256Digest, other: SHA256Digest) -> Bool { one.matches(other) }

    func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// Random bytes that nobody can foresee.
enum RandomBytes {
    /// - Returns: `nil` where the system has none to give.
    static func make(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return unsafe RAND_bytes(&bytes, Int32(count)) == 1 ? bytes : nil
    }
}

/// The signatures that are known here, each with one kind of key
/// ([RFC 7518](https://www.rfc-editor.org/rfc/rfc7518#section-3.1),
/// [RFC 8037](https://www.rfc-editor.org/rfc/rfc8037#section-3.1)).
enum SignatureAlgorithm: String, Sendable {
    case rs256 = "RS256"
    case es256 = "ES256"
    case edDSA = "EdDSA"
}

/// A public key, which fits one algorithm and no other.
///
/// `Sendable`: the C library's object is never changed after it was made.
@safe
final class PublicKey: @unchecked Sendable {
    /// Shorter ones can be broken.
    private static let leastRSABits: Int32 = 2048
    /// Longer ones take a verifier's time.
    private static let mostRSABits: Int32 = 8192

    let algorithm: SignatureAlgorithm
    private let key: OpaquePointer

    deinit { unsafe EVP_PKEY_free(key) }

    private init(_ algorithm: SignatureAlgorithm, owning key: OpaquePointer) {
        self.algorithm = algorithm
        unsafe self.key = key
    }

    /// An RSA key; `nil` for one that is none, or shorter than 2048 bits.
    ///
    /// - Parameters: modulus and exponent, the most significant byte first.
    static func rsa(modulus: [UInt8], exponent: [UInt8]) -> PublicKey? {
        defer { ERR_clear_error() }
        // By an exponent of one every message would be its own signature.
        guard modulus.count <= Int(mostRSABits) / 8, exponent.count <= 8,
            exponent.last.map({ $0 & 1 == 1 }) ?? false, exponent.drop(while: { $0 == 0 }) != [1],
            let key = unsafe penstock_rsa_key(
                modulus, Int32(modulus.count), exponent, Int32(exponent.count))
        else { return nil }
        let made = unsafe PublicKey(.rs256, owning: key)
        return unsafe EVP_PKEY_get_bits(key) >= leastRSABits ? made : nil
    }

    /// A point of the curve P-256; `nil` for one beside it.
    ///
    /// - Parameters: 32 bytes each, the most significant first.
    static func p256(x: [UInt8], y: [UInt8]) -> PublicKey? {
        guard x.count == 32, y.count == 32 else { return nil }
        defer { ERR_clear_error() }
        // Uncompressed: https://www.secg.org/sec1-v2.pdf, 2.3.3.
        let point = [4] + x + y
        let key = unsafe penstock_p256_key(point, point.count)
        return unsafe key.map { unsafe PublicKey(.es256, owning: $0) }
    }

    /// An Ed25519 key; `nil` unless it has 32 bytes.
    static func ed25519(_ bytes: [UInt8]) -> PublicKey? {
        defer { ERR_clear_error() }
        guard bytes.count == 32,
            let key = unsafe EVP_PKEY_new_raw_public_key(
                EVP_PKEY_ED25519, nil, bytes, bytes.count)
        else { return nil }
        return unsafe PublicKey(.edDSA, owning: key)
    }

    /// Whether the key's owner has signed the message.
    ///
    /// - Parameter signature: as [RFC 7515](https://www.rfc-editor.org/rfc/rfc7515) has it: that of
    ///   ES256 is the two numbers, 32 bytes each.
    func verifies(_ signature: [UInt8], of message: some Collection<UInt8>) -> Bool {
        defer { ERR_clear_error() }
        var signature = signature
        if algorithm == .es256 {
            guard let encoded = Self.derEncoded(signature) else { return false }
            signature = encoded
        }
        guard let context = unsafe EVP_MD_CTX_new() else { return false }
        defer { unsafe EVP_MD_CTX_free(context) }
        let digest = unsafe algorithm == .edDSA ? nil : EVP_sha256()
        guard unsafe EVP_DigestVerifyInit(context, nil, digest, nil, key) == 1 else { return false }
        let message = Array(message)
        return unsafe EVP_DigestVerify(
            context, signature, signature.count, message, message.count) == 1
    }

    /// The two numbers as OpenSSL wants them; `nil` unless there are 64 bytes.
    private static func derEncoded(_ signature: [UInt8]) -> [UInt8]? {
        guard signature.count == 64, let pair = unsafe ECDSA_SIG_new() else { return nil }
        defer { unsafe ECDSA_SIG_free(pair) }
        let r = unsafe BN_bin2bn(Array(signature[..<32]), 32, nil)
        let s = unsafe BN_bin2bn(Array(signature[32...]), 32, nil)
        // From there on the pair owns them.
        guard unsafe ECDSA_SIG_set0(pair, r, s) == 1 else {
            unsafe BN_free(r)
            unsafe BN_free(s)
            return nil
        }
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_ECDSA_SIG(pair, &bytes)
        guard count > 0, let start = unsafe bytes else { return nil }
        defer { unsafe CRYPTO_free(start, "", 0) }
        return unsafe Array(UnsafeBufferPointer(start: start, count: Int(count)))
    }
}

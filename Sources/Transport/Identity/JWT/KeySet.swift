internal import LocatedJSON

/// The keys of an issuer, by their names.
struct KeySet: Sendable {
    static let maxBytes = 1 << 20

    private var keys: [String: PublicKey] = [:]

    var count: Int { keys.count }

    subscript(name: String) -> PublicKey? { keys[name] }

    /// Reads a JSON Web Key Set. Keys that are for something else, or of kinds that are not known
    /// here, are passed over.
    ///
    /// - Throws: ``CredentialFileError`` for what is none, a key that is damaged, and a set without
    ///   a key that can be used.
    init(path: String) throws(CredentialFileError) {
        try self.init(
            parsing: try CredentialFile.read(path, maxBytes: Self.maxBytes), of: path)
    }

    init(parsing bytes: [UInt8], of path: String) throws(CredentialFileError) {
        let parsed = JSON.parse(bytes)
        guard parsed.problems.isEmpty, let items = parsed.value?["keys"]?.items else {
            throw CredentialFileError(path, "is no JSON Web Key Set: an object with \"keys\"")
        }
        for (index, item) in items.enumerated() {
            guard Self.isForSignatures(item), let name = item["kid"]?.string,
                let algorithm = Self.algorithm(of: item)
            else { continue }
            guard let key = Self.key(item, for: algorithm) else {
                throw CredentialFileError(
                    path, "keys[\(index)] is no public key for \(algorithm.rawValue)")
            }
            guard keys.updateValue(key, forKey: name) == nil else {
                throw CredentialFileError(path, "keys[\(index)] has the \"kid\" of another one")
            }
        }
        if keys.isEmpty {
            throw CredentialFileError(
                path, "has no key with a \"kid\" for RS256, ES256 or EdDSA (Ed25519)")
        }
    }

    private static func isForSignatures(_ json: JSON) -> Bool {
        if let use = json["use"], use.string != "sig" { return false }
        guard let operations = json["key_ops"] else { return true }
        return operations.items?.contains { $0.string == "verify" } ?? false
    }

    /// What the key is for, by its kind; `nil` for what is not known here, or is said to be for
    /// something else.
    private static func algorithm(of json: JSON) -> SignatureAlgorithm? {
        let algorithm: SignatureAlgorithm
        switch (json["kty"]?.string, json["crv"]?.string) {
        case ("RSA", nil): algorithm = .rs256
        case ("EC", "P-256"): algorithm = .es256
        case ("OKP", "Ed25519"): algorithm = .edDSA
        default: return nil
        }
        let said = json["alg"]?.string
        return said == nil || said == algorithm.rawValue ? algorithm : nil
    }

    private static func key(_ json: JSON, for algorithm: SignatureAlgorithm) -> PublicKey? {
        func bytes(_ name: String) -> [UInt8]? {
            json[name]?.string.flatMap { Base64URL.decoded($0.utf8) }
        }
        switch algorithm {
        case .rs256:
            guard let modulus = bytes("n"), let exponent = bytes("e") else { return nil }
            return PublicKey.rsa(modulus: modulus, exponent: exponent)
        case .es256:
            guard let x = bytes("x"), let y = bytes("y") else { return nil }
            return PublicKey.p256(x: x, y: y)
        case .edDSA: return bytes("x").flatMap(PublicKey.ed25519)
        }
    }
}

import Foundation
import Testing

@testable import Identity

@Suite("A JSON Web Token")
struct JSONWebTokenTests {
    private static let now: Int64 = 1_200
    private let keys: KeySet
    private let rules = JWTRules(
        keys: "keys.json", issuer: "https://id.example", audience: "penstock")

    init() throws { keys = try Self.keySet(JWTVectors.rsaKey, JWTVectors.ecKey, JWTVectors.edKey) }

    private static func keySet(_ keys: String...) throws -> KeySet {
        try KeySet(
            parsing: Array("{\"keys\": [\(keys.joined(separator: ", "))]}".utf8), of: "keys.json")
    }

    private func caller(_ text: String, at now: Int64 = Self.now) throws -> (Caller, Int64) {
        let found = try JSONWebToken(text, signedBy: keys).caller(by: rules, at: now)
        return (found.caller, found.end)
    }

    @Test("of each algorithm lets in whom it names", arguments: ["rs256", "es256", "edDSA"])
    func good(_ name: String) throws {
        let (caller, end) = try caller(#require(JWTVectors.good[name]))
        #expect(caller == Caller(subject: "ada", role: .requester))
        #expect(end == 2_030)
    }

    @Test("may have several audiences, and one role among other words")
    func lists() throws {
        let (caller, end) = try caller(#require(JWTVectors.good["list"]))
        #expect(caller.role == .reader)
        #expect(end == 2_030)
    }

    @Test("that is not in order lets nobody in", arguments: JWTVectors.bad.map(\.key).sorted())
    func bad(_ name: String) throws {
        let text = try #require(JWTVectors.bad[name])
        let refusal = #expect(throws: CredentialRefusal.self) { try caller(text) }
        // The log says why, and nothing that is in it.
        #expect(refusal.map { text.contains($0.reason) } == false)
    }

    @Test("is good until a little after its end", arguments: [(2_029, true), (2_030, false)])
    func end(_ now: Int64, _ isGood: Bool) throws {
        let text = try #require(JWTVectors.good["edDSA"])
        #expect(((try? caller(text, at: now)) != nil) == isGood)
    }

    @Test("is refused with any of its characters changed", arguments: JWTVectors.good.map(\.key))
    func changed(_ name: String) throws {
        let text = Array(try #require(JWTVectors.good[name]).utf8)
        _ = try caller(String(decoding: text, as: UTF8.self))
        // The last character, too: it has bits that say nothing.
        for index in text.indices {
            var other = text
            other[index] = text[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(throws: CredentialRefusal.self, "\(index)") {
                try caller(String(decoding: other, as: UTF8.self))
            }
            other[index] = text[index] ^ 1
            #expect(throws: CredentialRefusal.self, "\(index)") {
                try caller(String(decoding: other, as: UTF8.self))
            }
        }
    }

    @Test(
        "is refused in pieces, with padding, and with more",
        arguments: ["", ".", "..", "...", "e30.e30.", "e30.e30.e30"])
    func shapes(_ text: String) throws {
        #expect(throws: CredentialRefusal.self) { try caller(text) }
        let good = try #require(JWTVectors.good["edDSA"])
        for other in [good + "=", good + ".", good + ".\(text)", " \(good)", good + "\n"] {
            #expect(throws: CredentialRefusal.self) { try caller(other) }
        }
    }

    @Test("is looked up among keys for signatures alone")
    func otherKeys() throws {
        let text = try #require(JWTVectors.good["edDSA"])
        let key = JWTVectors.edKey
        for other in [
            key.replacing("}", with: ", \"use\": \"enc\"}"),
            key.replacing("}", with: ", \"key_ops\": [\"sign\"]}"),
            key.replacing("EdDSA", with: "ES256"), key.replacing("Ed25519", with: "X25519"),
            key.replacing("OKP", with: "oct"), key.replacing("\"kid\"", with: "\"id\""),
        ] {
            let keys = try Self.keySet(JWTVectors.ecKey, other)
            #expect(keys.count == 1)
            #expect(throws: CredentialRefusal.self) { try JSONWebToken(text, signedBy: keys) }
        }
        let keys = try Self.keySet(
            key.replacing("}", with: ", \"use\": \"sig\", \"key_ops\": [\"verify\"]}"))
        _ = try JSONWebToken(text, signedBy: keys)
    }

    @Test("is refused with keys that can't be used, and so is the file of them")
    func damagedKeys() throws {
        let (rsa, ec, ed) = (JWTVectors.rsaKey, JWTVectors.ecKey, JWTVectors.edKey)
        for bad in [
            JWTVectors.weakKey, rsa.replacing("AQAB", with: "AQ"), rsa.replacing("AQAB", with: ""),
            rsa.replacing("\"n\"", with: "\"m\""), ec.replacing("\"y\"", with: "\"z\""),
            ec.replacing("\"x\": \"", with: "\"x\": \"AA"),
            ed.replacing("\"x\": \"", with: "\"x\": \"A"),
            ec.replacing("\"x\"", with: "\"w\"").replacing("\"y\"", with: "\"x\"")
                .replacing("}", with: ", \"y\": \"\(String(repeating: "A", count: 43))\"}"),
        ] {
            #expect(throws: CredentialFileError.self, "\(bad)") { try Self.keySet(ec + bad, bad) }
            #expect(throws: CredentialFileError.self, "\(bad)") { try Self.keySet(bad) }
        }
        #expect(throws: CredentialFileError.self) { try Self.keySet(ed, ed) }
        #expect(throws: CredentialFileError.self) { try Self.keySet() }
        for text in ["", "[]", "{}", "{\"keys\": {}}", "{\"keys\": [], \"keys\": []}"] {
            #expect(throws: CredentialFileError.self) {
                try KeySet(parsing: Array(text.utf8), of: "keys.json")
            }
        }
    }
}

@Suite("A signature")
struct SignatureTests {
    private func bytes(_ text: String) throws -> [UInt8] {
        try #require(Base64URL.decoded(text.utf8))
    }

    @Test("of RFC 7515, A.3, holds for ES256")
    func es256() throws {
        let key = try #require(
            PublicKey.p256(
                x: try bytes("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
                y: try bytes("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")))
        let message =
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        let signature = try bytes(
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
        )
        #expect(key.verifies(signature, of: message.utf8))
        #expect(!key.verifies(signature, of: message.utf8.dropLast()))
        #expect(!key.verifies(signature.reversed(), of: message.utf8))
    }

    @Test("of RFC 8037, A.4, holds for Ed25519")
    func ed25519() throws {
        let key = try #require(
            PublicKey.ed25519(try bytes("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")))
        let signature = try bytes(
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        )
        let message = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
        #expect(key.verifies(signature, of: message.utf8))
        #expect(!key.verifies(signature, of: "x".utf8))
    }
}

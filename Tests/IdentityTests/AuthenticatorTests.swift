import Foundation
import Synchronization
import Testing

@testable import Identity

/// An authenticator over a file of tokens, on a clock that the test moves.
private final class Door: Sendable {
    let path: String
    let time = Atomic<Int64>(1_000)
    let changes = Mutex<[String]>([])

    init(_ path: String) { self.path = path }

    func opened() throws -> Authenticator {
        var sources = CredentialSources()
        sources.tokens = path
        return try Authenticator(
            sources, now: { [self] in time.load(ordering: .relaxed) },
            onChange: { [self] change in
                let text =
                    switch change {
                    case .read: "read"
                    case .refused(let error): error.message
                    }
                changes.withLock { $0.append(text) }
            })
    }

    func pass(_ seconds: Int64) { time.add(seconds, ordering: .relaxed) }

    var told: [String] { changes.withLock { $0 } }
}

extension Authenticator {
    fileprivate func caller(_ token: String, scheme: String = "Bearer") throws -> Caller {
        try caller(Array("\(scheme) \(token)".utf8))
    }

    fileprivate func refusal(_ token: String, scheme: String = "Bearer") -> String? {
        do {
            _ = try caller(token, scheme: scheme)
            return nil
        } catch { return (error as? CredentialRefusal)?.reason ?? "\(error)" }
    }
}

@Suite("A token lets in its owner")
struct AuthenticatorTests {
    private static let ada = Caller(subject: "ada", role: .requester)

    @Test("whatever the case of the scheme, and nobody without it")
    func bearer() throws {
        let folder = try TemporaryFolder()
        let door = Door("\(folder.path)/tokens")
        let (token, _) = try TokenFile.create(
            in: door.path, for: Self.ada, lifetime: nil, now: 0)
        let authenticator = try door.opened()
        for scheme in ["Bearer", "bearer", "BEARER", "Bearer ", "bEaReR"] {
            #expect(try authenticator.caller(token, scheme: scheme) == Self.ada)
        }
        for value in [
            token, "Basic \(token)", "Bearer", "Bearer ", "", "Bearer\(token)", "Bearer\t\(token)",
            "\u{0}earer \(token)", "Bearer \(token) ", "Bearer \(token),", "Bearer \(token)\n",
            String(repeating: "Bearer ", count: 3000),
        ] {
            #expect(throws: CredentialRefusal.self) { try authenticator.caller(Array(value.utf8)) }
        }
        #expect(throws: CredentialRefusal.self) { try authenticator.caller(nil) }
        #expect(throws: CredentialRefusal.self) {
            try authenticator.caller(Array("Bearer ".utf8) + [0xFF, 0xFE])
        }
    }

    @Test("and no token that differs in one character, or in its case")
    func changed() throws {
        let folder = try TemporaryFolder()
        let door = Door("\(folder.path)/tokens")
        let (token, _) = try TokenFile.create(
            in: door.path, for: Self.ada, lifetime: nil, now: 0)
        let authenticator = try door.opened()
        _ = try authenticator.caller(token)
        let characters = Array(token)
        for index in characters.indices {
            var other = characters
            other[index] = other[index] == "0" ? "1" : "0"
            #expect(authenticator.refusal(String(other)) != nil, "\(index)")
        }
        #expect(authenticator.refusal(token.uppercased()) != nil)
        let secret = token.suffix(64)
        #expect(authenticator.refusal(token.dropLast(64) + secret.uppercased()) != nil)
        #expect(authenticator.refusal(String(token.dropLast())) != nil)
        #expect(authenticator.refusal(token + "0") != nil)
    }

    @Test("until it ends, also where it is remembered")
    func expiry() throws {
        let folder = try TemporaryFolder()
        let door = Door("\(folder.path)/tokens")
        let (token, _) = try TokenFile.create(
            in: door.path, for: Self.ada, lifetime: 60, now: 1_000)
        let authenticator = try door.opened()
        door.pass(59)
        #expect(try authenticator.caller(token) == Self.ada)
        door.pass(1)
        #expect(authenticator.refusal(token) == "the token has expired")
    }

    @Test("until it is revoked: the file is read anew in the next second")
    func revocation() throws {
        let folder = try TemporaryFolder()
        let door = Door("\(folder.path)/tokens")
        let (token, record) = try TokenFile.create(
            in: door.path, for: Self.ada, lifetime: nil, now: 0)
        let authenticator = try door.opened()
        #expect(try authenticator.caller(token) == Self.ada)
        _ = try TokenFile.revoke(record.id, in: door.path)
        // Not looked at within the second.
        #expect(try authenticator.caller(token) == Self.ada)
        door.pass(1)
        #expect(authenticator.refusal(token) == "the token is not in the file of tokens")
        let (other, _) = try TokenFile.create(
            in: door.path, for: Self.ada, lifetime: nil, now: 0)
        door.pass(1)
        #expect(try authenticator.caller(other) == Self.ada)
        #expect(door.told == ["read", "read"])
    }

    @Test("also while the file can't be used, which is told once for each content")
    func broken() throws {
        let folder = try TemporaryFolder()
        let door = Door("\(folder.path)/tokens")
        let (token, _) = try TokenFile.create(
            in: door.path, for: Self.ada, lifetime: nil, now: 0)
        let authenticator = try door.opened()
        _ = try folder.write("{", to: "tokens")
        for _ in 0..<5 {
            door.pass(1)
            #expect(try authenticator.caller(token) == Self.ada)
        }
        #expect(door.told.count == 1)
        try FileManager.default.removeItem(atPath: door.path)
        for _ in 0..<5 {
            door.pass(1)
            #expect(try authenticator.caller(token) == Self.ada)
        }
        #expect(door.told.count == 2 && door.told[1].hasSuffix("No such file or directory"))
        _ = try TokenFile.create(in: door.path, for: Self.ada, lifetime: nil, now: 0)
        door.pass(1)
        #expect(authenticator.refusal(token) == "the token is not in the file of tokens")
        #expect(door.told.count == 3)
    }

    @Test("and none begins to work with a file that can't be used")
    func brokenAtStart() throws {
        let folder = try TemporaryFolder()
        let door = Door(try folder.write("{", to: "tokens"))
        #expect(throws: CredentialFileError.self) { try door.opened() }
    }
}

import Foundation
import Testing

@testable import Identity

/// A folder of a test's own.
struct TemporaryFolder: ~Copyable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "penstock-identity-\(UInt64.random(in: 0 ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws -> String {
        let file = "\(path)/\(name)"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}

@Suite("A file of tokens")
struct TokenFileTests {
    private static let ada = Caller(subject: "ada", role: .requester)

    @Test("is made for its owner's eyes, with a digest in place of the secret")
    func create() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/tokens.json"
        let (token, record) = try TokenFile.create(
            in: path, for: Self.ada, lifetime: nil, now: 1_000)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        #expect(token.wholeMatch(of: /pnst_[0-9a-f]{12}_[0-9a-f]{64}/) != nil)
        #expect(token.contains(record.id) && text.contains(record.id))
        #expect(!text.contains(token.suffix(64)))
        #expect(text.contains(SHA256Digest(of: token.suffix(64).utf8).hex))
        #expect(record.createdText == "1970-01-01T00:16:40Z" && record.expiresText == nil)
        #expect(try TokenFile(path: path).records == [record])
        // Nothing is left of how it was written.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["tokens.json"])
    }

    @Test("keeps its mode, its other tokens and the target of its link when it is changed")
    func change() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/tokens.json"
        let first = try TokenFile.create(in: path, for: Self.ada, lifetime: 60, now: 0).record
        let link = "\(folder.path)/link.json"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
        let second = try TokenFile.create(
            in: link, for: Caller(subject: "Grüße, \"x\"", role: .admin), lifetime: nil, now: 9
        ).record
        #expect(try TokenFile(path: path).records == [first, second])
        #expect(try TokenFile.revoke(first.id, in: link) == first)
        #expect(try TokenFile.revoke(first.id, in: link) == nil)
        #expect(try TokenFile(path: path).records == [second])
        let kind = try FileManager.default.attributesOfItem(atPath: link)[.type]
        #expect(kind as? FileAttributeType == .typeSymbolicLink)
    }

    @Test("takes changes of many at once, one after the other")
    func together() async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/tokens.json"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<32 {
                group.addTask {
                    _ = try TokenFile.create(in: path, for: Self.ada, lifetime: nil, now: 0)
                }
            }
            try await group.waitForAll()
        }
        #expect(try TokenFile(path: path).records.count == 32)
    }

    @Test("ends a token when its time is over")
    func expiry() throws {
        let folder = try TemporaryFolder()
        let record = try TokenFile.create(
            in: "\(folder.path)/t", for: Self.ada, lifetime: 60, now: 1_000
        ).record
        #expect(!record.hasExpired(at: 1_059))
        #expect(record.hasExpired(at: 1_060))
        #expect(record.expiresText == "1970-01-01T00:17:40Z")
    }

    private static let good = """
        {"id": "0123456789ab", "sha256": "\(String(repeating: "0f", count: 32))",
         "subject": "ada", "role": "reader", "created": "2026-11-27T22:30:00Z"}
        """

    @Test(
        "is refused as a whole where anything in it will not do, without telling what is in it",
        arguments: [
            "", "[]", "{}", "{\"version\": 2, \"tokens\": []}", "{\"version\": 1}",
            "{\"version\": 1, \"tokens\": [\(good), \(good)]}",
            "{\"version\": 1, \"tokens\": [\(good.replacing("reader", with: "root"))]}",
            "{\"version\": 1, \"tokens\": [\(good.replacing("0f0f", with: "0F0f"))]}",
            "{\"version\": 1, \"tokens\": [\(good.replacing("0f0f", with: "0f"))]}",
            "{\"version\": 1, \"tokens\": [\(good.replacing("11-27", with: "02-30"))]}",
            "{\"version\": 1, \"tokens\": [\(good.replacing("89ab", with: "89AB"))]}",
            "{\"version\": 1, \"tokens\": [\(good.replacing("}", with: ", \"expires\": 5}"))]}",
            "{\"version\": 1, \"tokens\": [\(good)]} x",
        ])
    func damaged(_ text: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(text, to: "tokens.json")
        let error = #expect(throws: CredentialFileError.self) { try TokenFile(path: path) }
        #expect(error?.message.hasPrefix("\(path): ") == true)
        #expect(error?.message.contains("0f0f") == false)
        // Nor is it written over.
        #expect(throws: CredentialFileError.self) {
            try TokenFile.create(in: path, for: Self.ada, lifetime: nil, now: 0)
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
    }

    @Test("that is in order is read")
    func inOrder() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("{\"version\": 1, \"tokens\": [\(Self.good)]}", to: "tokens")
        #expect(try TokenFile(path: path).records.first?.caller.role == .reader)
    }

    @Test("says that it is not there")
    func missing() {
        let error = #expect(throws: CredentialFileError.self) {
            try TokenFile(path: "/nowhere/tokens")
        }
        #expect(error?.message == "/nowhere/tokens: can't be read: No such file or directory")
        #expect(throws: CredentialFileError.self) {
            try TokenFile.create(in: "/nowhere/tokens", for: Self.ada, lifetime: nil, now: 0)
        }
    }

    @Test(
        "has subjects that can be written anywhere",
        arguments: [
            "", " ada", "ada\n", "a\u{0}b", "a\u{7f}", String(repeating: "é", count: 101),
        ])
    func subjects(_ subject: String) {
        #expect(Caller.objection(to: subject) != nil)
        #expect(Caller.objection(to: "ada lovelace@example.com") == nil)
    }
}

import Files
import Foundation
import PipelineCore
import Testing

@Suite("Which file a path leads to")
final class FileIdentityTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "penstock-identity-\(RandomSource().uuid())")

    init() throws {
        for name in ["", "inner"] {
            try FileManager.default.createDirectory(
                at: folder.appending(path: name), withIntermediateDirectories: true)
        }
        try Data().write(to: folder.appending(path: "there"))
        let links = [
            ("link", "there"), ("dangling", "inner/later"), ("loop", "loop"), ("way", "inner"),
        ]
        for (name, target) in links {
            try FileManager.default.createSymbolicLink(
                atPath: folder.appending(path: name).path, withDestinationPath: target)
        }
        try FileManager.default.linkItem(
            at: folder.appending(path: "there"), to: folder.appending(path: "hard"))
    }
    deinit { try? FileManager.default.removeItem(at: folder) }

    private func name(_ path: String) -> String? {
        FileIdentity(path: path.hasPrefix("/") ? path : "\(folder.path)/\(path)")?.name
    }

    @Test(
        "is the same for each way to write its path, through links and dots",
        arguments: ["./there", "inner/../there", "link", "hard", "way/../there", ".//there"])
    func existing(_ path: String) { #expect(name(path) == name("there")) }

    @Test(
        "is known while the file is not there yet",
        arguments: ["./inner/later", "way/later", "dangling", "inner/./later", "inner//later"])
    func missing(_ path: String) { #expect(name(path) == name("inner/later")) }

    @Test("is known while its folder is not there yet")
    func missingFolder() {
        #expect(name("new/folder/file") == name("./way/../new/folder/file"))
        #expect(name("new/folder/file") != name("new/file"))
    }

    @Test("is another one for another file, and ends for a link to itself")
    func others() {
        #expect(name("there") != name("inner/later"))
        #expect(name("loop") != nil)
        #expect(name("inner/later") != name("later"))
    }

    @Test("makes nothing")
    func nothing() throws {
        let before = try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted()
        _ = [name("inner/later"), name("new/folder/file"), name("dangling")]
        #expect(try FileManager.default.subpathsOfDirectory(atPath: folder.path).sorted() == before)
    }

    @Test("is none for the null device, and that of standard input for its other names")
    func devices() {
        #expect(FileIdentity(path: "/dev/null") == nil)
        #expect(LineFile.place(of: "/dev/stdin")?.reads == StandardStream.place.reads)
    }

    @Test("has dead letters of its own beside it")
    func deadLetters() {
        let place = LineFile.place(of: "\(folder.path)/there")
        #expect(place?.rejects == name("there.dead-letters"))
        #expect(place?.reads == name("there"))
        #expect(place?.isStream == false)
    }
}

import Files
import Foundation
import PipelineCore
import PipelineTesting
import Testing

@Suite("A file of lines", .timeLimit(.minutes(5)))
final class LineFileTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "penstock-lines-\(RandomSource().uuid())")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: folder) }

    private func file(_ text: String, _ name: String = "requests.jsonl") throws -> LineFile {
        let path = folder.appending(path: name)
        try Data(text.utf8).write(to: path)
        return LineFile(path: path.path)
    }

    private func content(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: folder.appending(path: name)), as: UTF8.self)
    }

    /// Every line from an offset to the end.
    private func all(
        of file: LineFile, from offset: Int64 = 0, maxBytes: Int = 1 << 20
    ) async throws -> [Line] {
        var lines: [Line] = []
        while true {
            let read = try await file.lines(
                from: lines.last?.next ?? offset, maxBytes: maxBytes)
            if read.isEmpty { return lines }
            lines += read
        }
    }

    @Test("hands out lines without their ends, with the offset behind each")
    func lines() async throws {
        let lines = try await all(of: try file("one\ntwo\r\n\nlast"))
        #expect(
            lines.map { String(decoding: $0.text, as: UTF8.self) } == ["one", "two", "", "last"])
        #expect(lines.map(\.next) == [4, 9, 10, 14])
    }

    @Test("is read on from where a line ended")
    func offsets() async throws {
        let file = try file("one\ntwo\nthree\n")
        let lines = try await all(of: file, from: 4)
        #expect(lines.map { String(decoding: $0.text, as: UTF8.self) } == ["two", "three"])
        let again = try await all(of: file, from: 8)
        #expect(again.map(\.next) == [14])
    }

    @Test("says where lines begin when it is to be read from somewhere else")
    func places() async throws {
        let file = try file("one\ntwo\nthree")
        for offset in [0, 4, 8, 13] as [Int64] {
            #expect(try await file.objection(toReadingFrom: offset) == nil)
        }
        for (offset, words) in [
            (5, "in the middle of a line: the nearest lines begin at 4 and 8"),
            (3, "in the middle of a line: the nearest lines begin at 0 and 4"),
            (9, "in the middle of a line: that line begins at 8, and the file ends at 13"),
            (14, "has 13 bytes: byte 14 lies beyond its end"),
        ] as [(Int64, String)] {
            #expect(try await file.objection(toReadingFrom: offset)?.hasSuffix(words) == true)
        }
        let long = String(repeating: "x", count: 200_000)
        let other = try self.file("\(long)\n\(long)\n\(long)\n", "long.jsonl")
        #expect(
            try await other.objection(toReadingFrom: 300_000)?.contains("200001 and 400002")
                == true)
    }

    @Test("hands out lines of any length up to the limit, however little is read at once")
    func longLines() async throws {
        let long = String(repeating: "x", count: 300_000)
        let file = try file("\(long)\nshort\n\(long)")
        let lines = try await all(of: file, maxBytes: 1000)
        #expect(lines.map(\.text.count) == [300_000, 5, 300_000])
    }

    @Test("refuses a line that would have to be held in memory whole")
    func tooLong() async throws {
        let file = try file(String(repeating: "x", count: 9 << 20))
        let error = await #expect(throws: PipelineError.self) {
            try await file.lines(from: 0, maxBytes: 1 << 20)
        }
        #expect(error?.code == "line-too-long")
        #expect(error?.disposition == .fatal)
    }

    @Test("that is not there is an error that names it")
    func missing() async throws {
        let file = LineFile(path: folder.appending(path: "nowhere").path)
        for read in [
            { try await file.probe() }, { _ = try await file.lines(from: 0, maxBytes: 10) },
        ] as [() async throws -> Void] {
            let error = await #expect(throws: PipelineError.self) { try await read() }
            #expect(error?.code == "file-unusable")
            #expect(error?.message.contains("nowhere") == true)
        }
    }

    @Test("is appended to, one line a record")
    func append() async throws {
        let file = try file("there\n", "out.jsonl")
        try await file.append([
            OutgoingRecord(key: nil, payload: Array("first".utf8)[...]),
            OutgoingRecord(key: nil, payload: Array("a\nb".utf8)[...]),
        ])
        try await file.append(lines: Array("raw\n".utf8)[...])
        #expect(try content("out.jsonl") == "there\nfirst\na b\nraw\n")
    }
}

@Suite("Looking at a file of lines", .timeLimit(.minutes(1)))
final class LineFileInspectionTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "penstock-inspection-\(RandomSource().uuid())")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: folder) }

    private func finding(_ name: String, _ need: ResourceNeed) async throws -> ResourceFinding {
        let file = LineFile(path: folder.appending(path: name).path)
        return try #require(try await file.inspect(for: [need], timeout: .seconds(1)).first)
    }

    @Test("says that a file can be read, or is not there")
    func reading() async throws {
        #expect(try await finding("in.jsonl", .reading).verdict == .wrong)
        try Data("{}\n".utf8).write(to: folder.appending(path: "in.jsonl"))
        #expect(try await finding("in.jsonl", .reading).verdict == .ok)
    }

    @Test("says that a file will be created, and creates none")
    func writing() async throws {
        let found = try await finding("out.jsonl", .writing)
        #expect(found.verdict == .ok)
        #expect(found.detail.hasSuffix("out.jsonl will be created"))
        #expect(try await finding("nowhere/out.jsonl", .writing).verdict == .wrong)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }
}

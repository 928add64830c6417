import Files
import Foundation
import Logging
import PipelineCore
import PipelineTesting
import Synchronization
import Testing

@testable import Stages

/// A file as an input, over several runs.
@Suite("A file as an input", .timeLimit(.minutes(1)))
final class FileInputTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "penstock-input-\(RandomSource().uuid())")
    private let positions = FakePositions()
    private let logs = LogCapture()
    private let refusals = RecordingRefusals()
    private var path: URL { folder.appending(path: "requests.jsonl") }
    private var name: String { "file:\(path.path)" }

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(at: folder) }

    private func write(_ text: String) throws { try Data(text.utf8).write(to: path) }

    private func append(_ text: String) throws {
        let handle = try FileHandle(forWritingTo: path)
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(text.utf8))
        try handle.close()
    }

    /// Reads to the end as one run of the program does; each chunk is taken in.
    private func run(
        decoder: (any RecordDecoder)? = nil, maxChunk: Int = 512,
        after: @escaping @Sendable (String) throws -> Void = { _ in }
    ) async throws -> [String] {
        var context = StageContext.testing(clock: ManualClock().clock, positions: positions)
        context.logger = logs.logger()
        context.refusals = refusals
        let source = LineSource(
            lines: LineFile(path: path.path), resource: "lines", maxChunk: maxChunk,
            intake: Intake(decoder: decoder, context: context))
        let texts = Journal<String>()
        try await source.run(
            into: Outlet { [positions] chunk in
                try positions.advance(chunk.advances)
                chunk.acknowledgement.settle(.acknowledged)
                for record in chunk.records {
                    let text = String(decoding: record.payload, as: UTF8.self)
                    texts.note(text)
                    try after(text)
                }
            })
        await source.close()
        return texts.entries
    }

    @Test("is read on where it ended, however much is written to it")
    func grows() async throws {
        try write("a\nb\n")
        #expect(try await run() == ["a", "b"])
        #expect(try await run() == [])
        try append("c\n")
        #expect(try await run() == ["c"])
        #expect(!logs.text.contains("another file"))
    }

    @Test(
        "is read from its start when another one has its name",
        arguments: ["x\n", "x\ny\nz\n", "x\ny\nz\nand many more\n"])
    func replaced(_ text: String) async throws {
        try write("a\nb\nc\n")
        #expect(try await run().count == 3)
        try FileManager.default.removeItem(at: path)
        try write(text)
        #expect(try await run() == text.split(separator: "\n").map(String.init))
        #expect(logs.text.contains("another file has the input's name"))
        #expect(logs.text.contains(path.path))
        #expect(positions.stored(name) == [0: Int64(text.utf8.count)])
    }

    @Test("is read from its start when an earlier version's position lies behind its end")
    func formerPosition() async throws {
        positions.set(name, 0, to: 50)
        try write("a\nb\n")
        #expect(try await run() == ["a", "b"])
    }

    @Test("keeps its position when it is copied or moved")
    func copied() async throws {
        try write("a\nb\n")
        #expect(try await run().count == 2)
        let copy = try Data(contentsOf: path)
        try FileManager.default.removeItem(at: path)
        try copy.write(to: path)
        try append("c\n")
        #expect(try await run() == ["c"])
    }

    @Test("is read to its end when it is rotated away meanwhile, and then the one after it")
    func rotated() async throws {
        try write("a\nb\nc\n")
        let (path, folder) = (path, folder)
        let texts = try await run(maxChunk: 1) { text in
            guard text == "a" else { return }
            try FileManager.default.moveItem(
                at: path, to: folder.appending(path: "requests.jsonl.1"))
            try Data("d\n".utf8).write(to: path)
        }
        #expect(texts == ["a", "b", "c", "d"])
        #expect(positions.stored(name) == [0: 2])
        #expect(logs.text.contains("rotated"))
        #expect(try await run() == [])
    }

    @Test("is read from its start when it is cut and written anew meanwhile")
    func cut() async throws {
        try write("a\nb\nc\n")
        let path = path
        let texts = try await run(maxChunk: 1) { text in
            guard text == "c" else { return }
            let handle = try FileHandle(forWritingTo: path)
            try handle.truncate(atOffset: 0)
            try handle.write(contentsOf: Data("d\n".utf8))
            try handle.close()
        }
        #expect(texts == ["a", "b", "c", "d"])
    }

    @Test("leaves a last line that is half written until it has its end")
    func halfWritten() async throws {
        try write("{}\n{\"a\":")
        #expect(try await run(decoder: ScriptedDecoder()) == ["{}"])
        #expect(positions.stored(name) == [0: 3])
        #expect(logs.text.contains("the last line has no end"))
        try append("1}\n")
        #expect(try await run(decoder: ScriptedDecoder()) == ["{\"a\":1}"])
        #expect(!FileManager.default.fileExists(atPath: "\(path.path).dead-letters"))
    }

    @Test("has its last line taken without an end if it can be read")
    func withoutEnd() async throws {
        try write("{}\n{\"a\":1}")
        #expect(try await run(decoder: ScriptedDecoder()) == ["{}", "{\"a\":1}"])
        try append("\n{\"b\":2}\n")
        #expect(try await run(decoder: ScriptedDecoder()) == ["{\"b\":2}"])
    }

    @Test("has refused lines kept beside it with the reason, which is counted and told of as any")
    func refused() async throws {
        try write("{}\nbad\n\n")
        var bytes = try Data(contentsOf: path)
        bytes += [0xFF, 0x00, 0x0A]
        try bytes.write(to: path)
        #expect(try await run(decoder: ScriptedDecoder()) == ["{}"])
        let kept = try String(contentsOfFile: "\(path.path).dead-letters", encoding: .utf8)
        let lines = kept.split(separator: "\n").map(String.init)
        #expect(lines.count == 2)
        let first = try #require(
            JSONSerialization.jsonObject(with: Data(lines[0].utf8)) as? [String: Any])
        #expect(first["payload"] as? String == "bad")
        #expect(first["stage"] as? String == "stage")
        #expect(first["code"] as? String == "malformed")
        #expect(first["reason"] as? String == "no braces")
        let origin = try #require(first["origin"] as? [String: Any])
        #expect(origin["source"] as? String == name)
        #expect(origin["offset"] as? Int == 3)
        let second = try #require(
            JSONSerialization.jsonObject(with: Data(lines[1].utf8)) as? [String: Any])
        #expect(second["payload_base64"] as? String == "/wA=")
        #expect(
            refusals.rejections.entries.map { "\($0.code) at \($0.stage): \($0.reason)" }
                == ["malformed at stage: no braces", "malformed at stage: no braces"])
    }

    @Test("is read again from the stored position after a chunk that did not settle")
    func failure() async throws {
        try write("a\nb\nc\n")
        let fails = Mutex(true)
        let texts = Journal<String>()
        let source = LineSource(
            lines: LineFile(path: path.path), resource: "lines", maxChunk: 1,
            intake: Intake(
                decoder: nil, context: .testing(clock: ManualClock().clock, positions: positions)))
        try await source.run(
            into: Outlet { [positions] chunk in
                let text = String(decoding: chunk.records[0].payload, as: UTF8.self)
                do {
                    if text == "b", fails.withLock({ $0.exchange(false) }) {
                        throw PipelineError.fenced("position-moved", "somebody else reads")
                    }
                    try positions.advance(chunk.advances)
                    texts.note(text)
                    chunk.acknowledgement.settle(.acknowledged)
                } catch let error as PipelineError { chunk.acknowledgement.settle(.failed(error)) }
            })
        #expect(texts.entries == ["a", "b", "c"])
    }
}

extension Bool {
    fileprivate mutating func exchange(_ new: Bool) -> Bool {
        defer { self = new }
        return self
    }
}

/// Reads what stands in braces.
private struct ScriptedDecoder: RecordDecoder {
    func decode(_ records: inout [Record], stage: String, now: Timestamp) -> [Rejection] {
        let (read, refused) = (
            records.filter { $0.payload.last == 0x7D }, records.filter { $0.payload.last != 0x7D }
        )
        records = read
        return refused.map {
            Rejection($0, stage: stage, code: "malformed", reason: "no braces")
        }
    }
}

extension LogCapture {
    fileprivate var text: String {
        events.map { "\($0.message) \($0.metadata)" }.joined(separator: "\n")
    }
}

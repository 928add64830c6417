import Glibc
import PipelineCore
import PipelineTesting
import Testing

@testable import Files

/// A pipe whose ends are closed with it.
private final class Pipe: Sendable {
    let reading: Int32
    let writing: Int32

    init() {
        var ends: [Int32] = [0, 0]
        unsafe pipe(&ends)
        (reading, writing) = (ends[0], ends[1])
    }
    deinit {
        close(reading)
        close(writing)
    }

    func write(_ text: String) {
        _ = unsafe Glibc.write(writing, text, text.utf8.count)
    }
    func read() -> String {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let got = unsafe Glibc.read(reading, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(got, 0)), as: UTF8.self)
    }
}

@Suite("Standard streams", .timeLimit(.minutes(5)))
struct StandardStreamTests {
    private let input = Pipe()
    private let output = Pipe()
    private let rejected = Pipe()
    private let stream: StandardStream

    init() {
        stream = StandardStream(
            input: input.reading, output: output.writing, rejected: rejected.writing)
    }

    @Test("are read line by line, as they are written")
    func lines() async throws {
        input.write("one\ntw")
        let first = try await stream.lines(from: 0, maxBytes: 100)
        #expect(first.map { String(decoding: $0.text, as: UTF8.self) } == ["one"])
        input.write("o\n")
        let second = try await stream.lines(from: 4, maxBytes: 100)
        #expect(second.map { String(decoding: $0.text, as: UTF8.self) } == ["two"])
        #expect(second.map(\.next) == [8])
    }

    @Test("let a read that waits for input be cancelled")
    func cancellation() async throws {
        let reading = Task { try await stream.lines(from: 0, maxBytes: 100) }
        reading.cancel()
        await #expect(throws: CancellationError.self) { try await reading.value }
    }

    @Test("take results, and say why something was refused")
    func output() async throws {
        try await stream.append([OutgoingRecord(key: nil, payload: Array("done".utf8)[...])])
        #expect(output.read() == "done\n")
        try await stream.keepRejected([
            OutgoingRecord(
                key: nil, payload: Array("{".utf8)[...],
                headers: [Header("penstock-reason", "no JSON")])
        ])
        #expect(rejected.read() == "refused: no JSON: {\n")
    }
}

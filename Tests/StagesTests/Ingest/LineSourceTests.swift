import Concurrency
import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

@Suite("A source of lines", .timeLimit(.minutes(5)))
struct LineSourceTests {
    private let positions = FakePositions()

    /// Reads the lines to their end; chunks are taken in as a barrier would.
    private func read(_ lines: FakeLines, maxChunk: Int = 512) async throws -> [Chunk] {
        let chunks = Journal<Chunk>()
        let source = LineSource(
            lines: lines, resource: "lines", maxChunk: maxChunk,
            intake: Intake(
                decoder: nil,
                context: .testing(clock: ManualClock().clock, positions: positions)))
        try await source.run(
            into: Outlet { [positions] chunk in
                try positions.advance(chunk.advances)
                chunk.acknowledgement.settle(.acknowledged)
                chunks.note(chunk)
            })
        await source.close()
        return chunks.entries
    }

    private func texts(_ chunks: [Chunk]) -> [[String]] {
        chunks.map { $0.records.map { String(decoding: $0.payload, as: UTF8.self) } }
    }

    @Test("makes a record of each line, with its place, and moves the position behind it")
    func lines() async throws {
        let lines = FakeLines(["one", "", "three"])
        let chunks = try await read(lines)
        #expect(texts(chunks) == [["one", "three"]])
        #expect(chunks[0].records.map(\.origin.offset) == [0, 5])
        #expect(chunks[0].records.map(\.ordinal) == [0, 1])
        #expect(positions.stored("file:lines") == [0: 11])
        #expect(lines.closings.count == 1)
    }

    @Test("cuts what was read into chunks that continue each other")
    func chunks() async throws {
        let chunks = try await read(FakeLines((0..<10).map { "\($0)" }), maxChunk: 4)
        #expect(texts(chunks).map(\.count) == [4, 4, 2])
        #expect(chunks.flatMap(\.advances).map(\.expected) == [0, 8, 16])
        #expect(chunks.flatMap(\.advances).map(\.next) == [8, 16, 20])
    }

    @Test("reads on from the stored position")
    func resumes() async throws {
        positions.set("file:lines", 0, to: 4)
        let lines = FakeLines(["one", "two"])
        #expect(texts(try await read(lines)) == [["two"]])
        #expect(lines.reads.entries.first == 4)
    }

    @Test("reads on from where its position was set while its last lines were on their way")
    func movedAtTheEnd() async throws {
        let seen = Journal<[String]>()
        let source = LineSource(
            lines: FakeLines(["one", "two"]), resource: "lines", maxChunk: 512,
            intake: Intake(
                decoder: nil,
                context: .testing(clock: ManualClock().clock, positions: positions)))
        try await source.run(
            into: Outlet { [positions] chunk in
                seen.note(chunk.records.map { String(decoding: $0.payload, as: UTF8.self) })
                if seen.count == 1 {
                    positions.set("file:lines", 0, to: 4)
                    chunk.acknowledgement.settle(.failed(.fenced(.positionMoved, "set")))
                } else {
                    try positions.advance(chunk.advances)
                    chunk.acknowledgement.settle(.acknowledged)
                }
            })
        await source.close()
        #expect(seen.entries == [["one", "two"], ["two"]])
        #expect(positions.stored("file:lines") == [0: 8])
    }

    @Test("knows of no line when it was written")
    func timestamps() async throws {
        let chunks = try await read(FakeLines(["one", "two"]))
        #expect(chunks.flatMap(\.records).allSatisfy { $0.timestamp == .epoch })
    }

    @Test("keeps no position of an input that can't be read again")
    func stream() async throws {
        let chunks = try await read(FakeLines(["one"], name: "stdin", isSeekable: false))
        #expect(chunks[0].advances.isEmpty)
        #expect(positions.stored("stdin").isEmpty)
    }

    @Test("ends without an error when it is stopped")
    func cancellation() async throws {
        let lines = FakeLines(["one", "two"], linesPerRead: 1)
        let source = LineSource(
            lines: lines, resource: "lines", maxChunk: 1,
            intake: Intake(decoder: nil, context: .testing(clock: ManualClock().clock)))
        let sent = Journal<Chunk>()
        let reading = Task {
            try await source.run(
                into: Outlet { chunk in
                    sent.note(chunk)
                    try await AsyncEvent().wait()
                })
        }
        try await sent.reaches(1)
        reading.cancel()
        try await reading.value
        #expect(sent.count == 1)
    }

    @Test("keeps refused lines beside the input")
    func rejections() async throws {
        let lines = FakeLines(["bad"])
        let source = LineSource(
            lines: lines, resource: "lines", maxChunk: 1,
            intake: Intake(decoder: nil, context: .testing(clock: ManualClock().clock)))
        try await source.run(
            into: Outlet { chunk in
                try await chunk.acknowledgement.reject([
                    Rejection(chunk.records[0], stage: "in", code: "malformed", reason: "bad")
                ])
                chunk.acknowledgement.settle(.acknowledged)
            })
        #expect(
            lines.rejected.entries.map { String(decoding: $0.payload, as: UTF8.self) } == ["bad"])
    }
}

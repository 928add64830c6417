internal import Batching
internal import Ledger
internal import PipelineCore
internal import Synchronization

extension LedgerConformance {
    /// Chunks in a window, one behind the other.
    static let windows: [Check] = [
        check("a window is accepted in order, each chunk with its position") { fixture in
            let ledger = try await fixture.ledger(.manual)
            _ = try await ledger.positions(of: "t", initial: [0: 0])
            let ready = ReadyChunks(fixture.chunks(100))
            // A ledger may end when it likes; what it has not taken goes on the next time.
            while !ready.isTaken { try await ready.handIn(to: ledger) }
            let counts = AcceptedCounts(new: 3, reopened: 0, repeated: 0)
            try requireEqual(ready.answers, Array(repeating: counts, count: 100), "answers")
            try require(ready.window.left().isEmpty, "some were not accepted")
            try requireEqual(try await ledger.positions(of: "t", initial: [0: 0]), [0: 300])
            try requireEqual(try await ledger.overview().open.count, 300, "pending")
        },
        check("a conflict ends a window: it and what goes on from it are not accepted") { fixture in
            let ledger = try await fixture.ledger(.manual)
            _ = try await ledger.positions(of: "t", initial: [0: 0])
            var chunks = fixture.chunks(6)
            let known = try requireValue(chunks[2].records[1].id, "an id")
            try await ledger.add([LedgerTestCase(id: known, deadline: nil, parameters: [1])])
            let ready = ReadyChunks(chunks)
            try await ready.handIn(to: ledger)
            try requireEqual(ready.answers.map(\.new), [3, 3], "answers")
            try requireEqual(
                ready.window.left().first?.records.first?.id, chunks[2].records[0].id, "left")
            try requireEqual(try await ledger.positions(of: "t", initial: [0: 0]), [0: 6])
            try requireEqual(try await ledger.accept(chunks[2].submissions), .conflicts([1]))
            chunks[2].records.remove(at: 1)
            for chunk in chunks[2...] {
                try requireEqual(
                    try await ledger.accept(chunk.submissions),
                    .accepted(AcceptedCounts(new: chunk.records.count, reopened: 0, repeated: 0)))
            }
            try requireEqual(try await ledger.positions(of: "t", initial: [0: 0]), [0: 18])
            try requireEqual(try await ledger.overview().open.count, 18, "pending")
        },
        check("a zombie's window is refused from its beginning and leaves nothing") { fixture in
            let stage = fixture.stage(.manual)
            let (ledger, zombie) = (
                try await fixture.ledger(stage), try await fixture.ledger(stage)
            )
            _ = try await ledger.positions(of: "t", initial: [0: 0])
            let chunks = fixture.chunks(3)
            try await ledger.add(fixture.cases(1))
            let step = PositionAdvance(source: "t", partition: 0, expected: 0, next: 5)
            _ = try await ledger.accept(Submissions([], [step]))
            let ready = ReadyChunks(chunks)
            try await requireError(.fenced, "position-moved") {
                try await ready.handIn(to: zombie)
            }
            try require(ready.answers.isEmpty, "a zombie's chunk is accepted")
            try requireEqual(try await ledger.overview().open.count, 1, "pending")
            for chunk in chunks {
                try await requireError(.fenced, "position-moved") {
                    _ = try await zombie.accept(chunk.submissions)
                }
            }
        },
    ]
}

/// Chunks that lie ready, and the answers that they got.
private final class ReadyChunks: Sendable {
    let window: ChunkWindow
    private let waiting: Waiting

    /// Apart from the window, whose closures hold it.
    private final class Waiting: Sendable {
        let state: Mutex<(chunks: [Chunk], answers: [AcceptedCounts])>
        init(_ chunks: [Chunk]) { state = Mutex((chunks, [])) }
    }

    init(_ chunks: [Chunk]) {
        let waiting = Waiting(chunks)
        self.waiting = waiting
        window = ChunkWindow {
            waiting.state.withLock { $0.chunks.isEmpty ? nil : $0.chunks.removeFirst() }
        } accepted: { chunk, counts in
            chunk.acknowledgement.settle(.acknowledged)
            waiting.state.withLock { $0.answers.append(counts) }
        }
    }

    var isTaken: Bool { waiting.state.withLock { $0.chunks.isEmpty } }
    var answers: [AcceptedCounts] { waiting.state.withLock { $0.answers } }

    /// - Throws: what the first chunk that was not accepted met; nothing if that was a conflict.
    func handIn(to ledger: any Ledger) async throws {
        try await ledger.accept(from: window)
        if let failure = window.failure { throw failure }
    }
}

extension LedgerFixture {
    /// Chunks of three cases, one behind the other in partition 0 of `t`.
    fileprivate func chunks(_ count: Int) -> [Chunk] {
        (0..<Int64(count)).map { number in
            let records = cases(3).enumerated().map { index, item in
                var record = Record.testing(index, ordinal: index)
                record.id = item.id
                record.digest = item.digest
                record.deadline = item.deadline
                record.body = item.parameters
                return record
            }
            let step = PositionAdvance(
                source: "t", partition: 0, expected: 3 * number, next: 3 * number + 3)
            return Chunk(
                records: records, advances: [step],
                acknowledgement: Acknowledgement(RecordingSettlement()))
        }
    }
}

extension Chunk {
    fileprivate var submissions: Submissions {
        get throws { try Submissions(records: records, advances: advances) }
    }
}

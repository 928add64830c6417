internal import Batching
internal import Ledger
internal import PipelineCore
internal import Synchronization

extension LedgerConformance {
    /// Chunks that are handed in in a row.
    static let rows: [Check] = [
        check("a row is accepted in order, each chunk with its position") { fixture in
            let ledger = try await fixture.ledger(.manual)
            _ = try await ledger.positions(of: "t", initial: [0: 0])
            let chunks = fixture.row(100)
            // A ledger may end a row when it likes; what it has not taken goes on in the next.
            let row = Row(chunks)
            while !row.isTaken { try await row.handIn(to: ledger) }
            let counts = AcceptedCounts(new: 3, reopened: 0, repeated: 0)
            try requireEqual(row.answers, Array(repeating: counts, count: 100), "answers")
            try requireEqual(try await ledger.positions(of: "t", initial: [0: 0]), [0: 300])
            try requireEqual(try await ledger.summary().pending, 300, "pending")
        },
        check("a conflict ends a row: it and what goes on from it are not accepted") { fixture in
            let ledger = try await fixture.ledger(.manual)
            _ = try await ledger.positions(of: "t", initial: [0: 0])
            var chunks = fixture.row(6)
            try await ledger.add([
                LedgerTestCase(id: chunks[2].ids[1], deadline: nil, parameters: [1])
            ])
            let row = Row(chunks)
            try await row.handIn(to: ledger)
            try requireEqual(row.answers.prefix(3).map { $0?.new }, [3, 3, nil], "answers")
            try require(row.answers.dropFirst(2).allSatisfy { $0 == nil }, "accepted behind it")
            try requireEqual(try await ledger.positions(of: "t", initial: [0: 0]), [0: 6])
            try requireEqual(try await ledger.accept(chunks[2]), .conflicts([1]))
            chunks[2] = chunks[2].without(1)
            for chunk in chunks[2...] {
                try requireEqual(
                    try await ledger.accept(chunk),
                    .accepted(AcceptedCounts(new: chunk.count, reopened: 0, repeated: 0)))
            }
            try requireEqual(try await ledger.positions(of: "t", initial: [0: 0]), [0: 18])
            try requireEqual(try await ledger.summary().pending, 18, "pending")
        },
        check("a zombie's row is refused from its beginning and leaves nothing") { fixture in
            let stage = fixture.stage(.manual)
            let (ledger, zombie) = (
                try await fixture.ledger(stage), try await fixture.ledger(stage)
            )
            _ = try await ledger.positions(of: "t", initial: [0: 0])
            let chunks = fixture.row(3)
            try await ledger.add(fixture.cases(1))
            let step = PositionAdvance(source: "t", partition: 0, expected: 0, next: 5)
            _ = try await ledger.accept(Submissions([], [step]))
            let row = Row(chunks)
            try await requireError(.fenced, "position-moved") {
                try await row.handIn(to: zombie)
            }
            try require(row.answers.allSatisfy { $0 == nil }, "a zombie's chunk is accepted")
            try requireEqual(try await ledger.summary().pending, 1, "pending")
            for chunk in chunks {
                try await requireError(.fenced, "position-moved") {
                    _ = try await zombie.accept(chunk)
                }
            }
        },
    ]
}

/// Chunks in a row, and the answers that they got.
private final class Row: Sendable {
    private let state: Mutex<(waiting: [Submissions], answers: [AcceptedCounts?])>

    init(_ chunks: [Submissions]) { state = Mutex((chunks, [])) }

    var isTaken: Bool { state.withLock { $0.waiting.isEmpty } }
    var answers: [AcceptedCounts?] { state.withLock { $0.answers } }

    func handIn(to ledger: any Ledger) async throws {
        try await ledger.accept { [self] in
            state.withLock { $0.waiting.isEmpty ? nil : $0.waiting.removeFirst() }
        } answered: { [self] counts in
            state.withLock { $0.answers.append(counts) }
        }
    }
}

extension LedgerFixture {
    /// Chunks of three cases, one behind the other in partition 0 of `t`.
    fileprivate func row(_ count: Int) -> [Submissions] {
        (0..<Int64(count)).map { number in
            Submissions(
                cases(3),
                [
                    PositionAdvance(
                        source: "t", partition: 0, expected: 3 * number, next: 3 * number + 3)
                ])
        }
    }
}

extension Submissions {
    fileprivate func without(_ index: Int) -> Submissions {
        var rest = self
        rest.ids.remove(at: index)
        rest.digests.remove(at: index)
        rest.deadlines.remove(at: index)
        rest.parameters.remove(at: index)
        return rest
    }
}

internal import Ledger
internal import PipelineCore
internal import Synchronization

/// Chunks on their way into a ledger in a row, until each has its answer.
final class SubmissionRow: Sendable {
    private struct State {
        /// In order, without answers.
        var underWay: [Chunk] = []
        var isBroken = false
    }
    private let state = Mutex(State())
    private let take: @Sendable () -> Chunk?

    init(from take: @escaping @Sendable () -> Chunk?) { self.take = take }

    /// Takes the next chunk; none after one was not accepted, since those behind it may go on from there.
    func next() -> Submissions? {
        while !state.withLock({ $0.isBroken }), let chunk = take() {
            if chunk.isVoid {
                chunk.delivery.settle(.acknowledged)
                continue
            }
            state.withLock { $0.underWay.append(chunk) }
            return Submissions(chunk.records, chunk.advances)
        }
        return nil
    }

    /// Takes the answer for the oldest chunk under way; hands the chunk over if it is to be settled.
    func answered(isAccepted: Bool) -> Chunk? {
        state.withLock { state in
            let chunk = state.underWay.removeFirst()
            if isAccepted { return chunk }
            state.isBroken = true
            return nil
        }
    }
}

extension Chunk {
    /// There is nothing to be written.
    var isVoid: Bool { records.isEmpty && advances.isEmpty }
}

extension Submissions {
    init(_ records: [Record], _ advances: [PositionAdvance]) {
        self.init(advances: advances)
        reserveCapacity(records.count)
        for record in records {
            guard let id = record.id else {
                preconditionFailure("a ledger is fed with requests; contracts see to that")
            }
            append(
                id: id, digest: record.digest ?? Digest(of: record.body),
                deadline: record.deadline, parameters: record.body)
        }
    }
}

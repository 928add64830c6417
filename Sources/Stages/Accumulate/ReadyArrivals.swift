internal import Ledger
internal import PipelineCore
internal import Synchronization

/// The chunks of one fast pass through a ledger: which were taken, and which of them are still open.
final class ReadyArrivals: Sendable {
    private struct State {
        /// Waits until the ledger takes it.
        var first: Chunk?
        /// Taken and not answered, in order.
        var underWay: [Chunk] = []
        /// Answered, and not accepted.
        var refused: [Chunk] = []
    }
    private let state: Mutex<State>
    private let take: @Sendable () -> Chunk?

    init(_ first: Chunk, then take: @escaping @Sendable () -> Chunk?) {
        state = Mutex(State(first: first))
        self.take = take
    }

    /// Takes the next chunk; none after a refusal, which those behind it may share.
    func next() -> Submissions? {
        while true {
            let chunk: Chunk? = state.withLock { state in
                guard state.refused.isEmpty, let chunk = state.first ?? take() else { return nil }
                state.first = nil
                if !chunk.isVoid { state.underWay.append(chunk) }
                return chunk
            }
            guard let chunk else { return nil }
            if !chunk.isVoid { return Submissions(chunk.records, chunk.advances) }
            chunk.delivery.settle(.acknowledged)
        }
    }

    /// Takes the answer for the oldest chunk under way; hands the chunk over if it is to be settled.
    func answered(isAccepted: Bool) -> Chunk? {
        state.withLock { state in
            let chunk = state.underWay.removeFirst()
            if isAccepted { return chunk }
            state.refused.append(chunk)
            return nil
        }
    }

    /// What is open, in order of arrival.
    var left: [Chunk] {
        state.withLock { $0.refused + $0.underWay + ($0.first.map { [$0] } ?? []) }
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

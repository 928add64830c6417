internal import PipelineCore
internal import Synchronization

/// Chunks that a barrier takes one behind the other: the first, then those that lie ready.
final class ArrivalRow: Sendable {
    private struct State {
        var first: Chunk?
        /// In order; those that have settled are forgotten now and then.
        var taken: [Chunk] = []
    }
    private let state: Mutex<State>
    private let take: @Sendable () -> Chunk?

    init(_ first: Chunk, then take: @escaping @Sendable () -> Chunk?) {
        state = Mutex(State(first: first))
        self.take = take
    }

    func next() -> Chunk? {
        state.withLock { state in
            guard let chunk = state.first ?? take() else { return nil }
            state.first = nil
            state.taken.removeAll(where: \.delivery.isSettled)
            state.taken.append(chunk)
            return chunk
        }
    }

    /// The chunks that have not settled, in order; one at least was taken.
    var left: [Chunk] {
        state.withLock { state in
            (state.taken + (state.first.map { [$0] } ?? [])).filter { !$0.delivery.isSettled }
        }
    }
}

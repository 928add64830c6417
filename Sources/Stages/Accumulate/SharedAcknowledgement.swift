internal import PipelineCore
internal import Synchronization

/// An acknowledgement whose records went into several chunks: it settles when the last part has.
final class SharedAcknowledgement: Sendable {
    private struct State {
        var open: Int
        var failure: PipelineError?
    }
    let acknowledgement: Acknowledgement
    private let state: Mutex<State>

    init(_ acknowledgement: Acknowledgement, parts: Int) {
        self.acknowledgement = acknowledgement
        state = Mutex(State(open: parts))
    }

    func settle(_ settlement: Settlement) {
        let final: Settlement? = state.withLock { state in
            state.open -= 1
            if case .failed(let error) = settlement { state.failure = error }
            if state.open > 0 { return nil }
            return state.failure.map { .failed($0) } ?? .acknowledged
        }
        if let final { acknowledgement.settle(final) }
    }
}

/// The acknowledgement of a chunk whose records came from several chunks.
struct JoinedAcknowledgement: AcknowledgementHandler {
    struct Member: Sendable {
        var share: SharedAcknowledgement
        /// The record's ordinal in the chunk that it came with.
        var ordinal: Int
    }
    /// By the records' ordinals in the joined chunk.
    let members: [Member]
    /// Those of chunks without records.
    let idle: [SharedAcknowledgement]

    func reject(_ rejections: [Rejection]) async throws {
        for rejection in rejections {
            let member = members[rejection.record.ordinal]
            var original = rejection
            original.record.ordinal = member.ordinal
            try await member.share.acknowledgement.reject([original])
        }
    }

    func settled(_ settlement: Settlement) {
        for member in members { member.share.settle(settlement) }
        for share in idle { share.settle(settlement) }
    }
}

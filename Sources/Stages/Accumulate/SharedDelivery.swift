internal import PipelineCore
internal import Synchronization

/// A delivery whose records went into several chunks: it settles when the last part has.
final class SharedDelivery: Sendable {
    private struct State {
        var open: Int
        var failure: PipelineError?
    }
    let delivery: Delivery
    private let state: Mutex<State>

    init(_ delivery: Delivery, parts: Int) {
        self.delivery = delivery
        state = Mutex(State(open: parts))
    }

    func settle(_ settlement: Settlement) {
        let final: Settlement? = state.withLock { state in
            state.open -= 1
            if case .failed(let error) = settlement { state.failure = error }
            if state.open > 0 { return nil }
            return state.failure.map { .failed($0) } ?? .acknowledged
        }
        if let final { delivery.settle(final) }
    }
}

/// The delivery of a chunk whose records came from several deliveries.
struct JoinedDelivery: DeliveryHandler {
    struct Member: Sendable {
        var share: SharedDelivery
        /// The record's ordinal in the delivery that it came with.
        var ordinal: Int
    }
    /// By the records' ordinals in the joined chunk.
    let members: [Member]
    /// Deliveries without records.
    let idle: [SharedDelivery]

    func reject(_ rejections: [Rejection]) async throws {
        for rejection in rejections {
            let member = members[rejection.record.ordinal]
            var original = rejection
            original.record.ordinal = member.ordinal
            try await member.share.delivery.reject([original])
        }
    }

    func settled(_ settlement: Settlement) {
        for member in members { member.share.settle(settlement) }
        for share in idle { share.settle(settlement) }
    }
}

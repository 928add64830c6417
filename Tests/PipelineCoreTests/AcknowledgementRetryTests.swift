import PipelineTesting
import PipelineCore
import Synchronization
import Testing

@Suite("An acknowledgement whose rejections fail")
struct AcknowledgementRetryTests {
    @Test("rejects repeats with their leader, again if rejecting failed")
    func followers() async throws {
        let handler = FailingHandler()
        let acknowledgement = Acknowledgement(handler)
        let records = (0..<3).map { ordinal in
            Record(
                payload: [], timestamp: Timestamp(microseconds: 0),
                origin: Origin(source: "topic", offset: Int64(ordinal)), ordinal: ordinal)
        }
        acknowledgement.follow(0, records[2])
        let rejection = Rejection(records[0], stage: "batch", code: "conflict", reason: "known")
        await #expect(throws: PipelineError.self) { try await acknowledgement.reject([rejection]) }
        #expect(!acknowledgement.rejectedOrdinals.contains(2))
        try await acknowledgement.reject([rejection])
        #expect(handler.kept == [[0, 2]])
        #expect(acknowledgement.rejectedOrdinals.contains(2))
        // Once kept, a repeat is not kept again.
        try await acknowledgement.reject([rejection])
        #expect(handler.kept == [[0, 2], [0]])
        acknowledgement.settle(.acknowledged)
    }
}

/// Refuses the first rejections for the moment; keeps later ones.
private final class FailingHandler: AcknowledgementHandler {
    private let state = Mutex<(hasFailed: Bool, kept: [[Int64]])>((false, []))
    var kept: [[Int64]] { state.withLock { $0.kept } }

    func reject(_ rejections: [Rejection]) async throws {
        try state.withLock { state in
            if !state.hasFailed {
                state.hasFailed = true
                throw PipelineError.retryable("bus-unavailable", "try again")
            }
            state.kept.append(rejections.map(\.record.origin.offset))
        }
    }
    func settled(_ settlement: Settlement) {}
}

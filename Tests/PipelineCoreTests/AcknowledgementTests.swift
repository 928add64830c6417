import PipelineCore
import PipelineTesting
import Synchronization
import Testing

@Suite("An acknowledgement", .timeLimit(.minutes(5)))
struct AcknowledgementTests {
    private let settlement = RecordingSettlement()

    @Test("tells its handler and every observer once how it ended")
    func settles() {
        let heard = Journal<Bool>()
        let acknowledgement = Acknowledgement(settlement)
        acknowledgement.observe { heard.note($0.failure == nil) }
        #expect(heard.count == 0)
        acknowledgement.settle(.acknowledged)
        #expect(settlement.settlements.count == 1)
        #expect(heard.entries == [true])
        acknowledgement.observe { heard.note($0.failure == nil) }
        #expect(heard.entries == [true, true])
    }

    @Test("traps when it is settled twice")
    func settlesOnce() async {
        await #expect(processExitsWith: .failure) {
            let acknowledgement = Acknowledgement(RecordingSettlement())
            acknowledgement.settle(.acknowledged)
            acknowledgement.settle(.acknowledged)
        }
    }

    @Test("that is dropped has failed, and may be delivered again")
    func dropped() {
        let heard = Journal<ErrorCode?>()
        do {
            let acknowledgement = Acknowledgement(settlement)
            acknowledgement.observe { heard.note($0.failure?.code) }
        }
        #expect(settlement.settlements.entries.map { $0.failure?.code } == ["dropped"])
        #expect(settlement.settlements.entries[0].failure?.disposition == .retryable)
        #expect(heard.entries == ["dropped"])
    }

    @Test("that was settled is not settled again by being dropped")
    func droppedAfterSettlement() {
        do { Acknowledgement(settlement).settle(.acknowledged) }
        #expect(settlement.settlements.count == 1)
    }

    @Test("refuses the repeats of a refused record with it")
    func followers() async throws {
        let acknowledgement = Acknowledgement(settlement)
        acknowledgement.follow(0, .testing(1, ordinal: 2))
        acknowledgement.follow(1, .testing(2, ordinal: 3))
        try await acknowledgement.reject([rejection(ordinal: 0)])
        #expect(settlement.rejectedOrdinals == [0, 2])
        #expect(settlement.rejections.entries.allSatisfy { $0.code == "conflict" })
        #expect(acknowledgement.rejectedOrdinals == [0, 2])
        acknowledgement.settle(.acknowledged)
    }

    @Test("refuses the repeats too when keeping them failed at first")
    func followersOfARepeatedRejection() async throws {
        let acknowledgement = Acknowledgement(settlement)
        acknowledgement.follow(0, .testing(1, ordinal: 1))
        settlement.failures.add(.retryable("bus-unavailable", "not there"))
        await #expect(throws: PipelineError.self) {
            try await acknowledgement.reject([self.rejection(ordinal: 0)])
        }
        #expect(!acknowledgement.rejectedOrdinals.contains(0))
        try await acknowledgement.reject([rejection(ordinal: 0)])
        #expect(settlement.rejectedOrdinals == [0, 1])
        acknowledgement.settle(.acknowledged)
    }

    @Test("bothers nobody with an empty refusal")
    func nothingToRefuse() async throws {
        settlement.failures.add(.fatal("asked", "for nothing"))
        let acknowledgement = Acknowledgement(settlement)
        try await acknowledgement.reject([])
        acknowledgement.settle(.acknowledged)
    }

    private func rejection(ordinal: Int) -> Rejection {
        Rejection(
            .testing(ordinal, ordinal: ordinal), stage: "batch", code: "conflict", reason: "known")
    }
}

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

import PipelineCore
import PipelineTesting
import Testing

@Suite("A delivery", .timeLimit(.minutes(5)))
struct DeliveryTests {
    private let settlement = RecordedSettlement()

    @Test("tells its handler and every observer once how it ended")
    func settles() {
        let heard = Journal<Bool>()
        let delivery = Delivery(settlement)
        delivery.observe { heard.note($0.failure == nil) }
        #expect(heard.count == 0)
        delivery.settle(.acknowledged)
        #expect(settlement.settlements.count == 1)
        #expect(heard.entries == [true])
        delivery.observe { heard.note($0.failure == nil) }
        #expect(heard.entries == [true, true])
    }

    @Test("traps when it is settled twice")
    func settlesOnce() async {
        await #expect(processExitsWith: .failure) {
            let delivery = Delivery(RecordedSettlement())
            delivery.settle(.acknowledged)
            delivery.settle(.acknowledged)
        }
    }

    @Test("that is dropped has failed, and may be delivered again")
    func dropped() {
        let heard = Journal<String?>()
        do {
            let delivery = Delivery(settlement)
            delivery.observe { heard.note($0.failure?.code) }
        }
        #expect(settlement.settlements.entries.map { $0.failure?.code } == ["dropped"])
        #expect(settlement.settlements.entries[0].failure?.disposition == .retryable)
        #expect(heard.entries == ["dropped"])
    }

    @Test("that was settled is not settled again by being dropped")
    func droppedAfterSettlement() {
        do { Delivery(settlement).settle(.acknowledged) }
        #expect(settlement.settlements.count == 1)
    }

    @Test("refuses the repeats of a refused record with it")
    func followers() async throws {
        let delivery = Delivery(settlement)
        delivery.follow(0, .testing(1, ordinal: 2))
        delivery.follow(1, .testing(2, ordinal: 3))
        try await delivery.reject([rejection(ordinal: 0)])
        #expect(settlement.rejectedOrdinals == [0, 2])
        #expect(settlement.rejections.entries.allSatisfy { $0.code == "conflict" })
        #expect(delivery.rejectedOrdinals == [0, 2])
        delivery.settle(.acknowledged)
    }

    @Test("refuses the repeats too when keeping them failed at first")
    func followersOfARepeatedRejection() async throws {
        let delivery = Delivery(settlement)
        delivery.follow(0, .testing(1, ordinal: 1))
        settlement.failures.add(.retryable("bus-unavailable", "not there"))
        await #expect(throws: PipelineError.self) {
            try await delivery.reject([self.rejection(ordinal: 0)])
        }
        #expect(!delivery.rejectedOrdinals.contains(0))
        try await delivery.reject([rejection(ordinal: 0)])
        #expect(settlement.rejectedOrdinals == [0, 1])
        delivery.settle(.acknowledged)
    }

    @Test("bothers nobody with an empty refusal")
    func nothingToRefuse() async throws {
        settlement.failures.add(.fatal("asked", "for nothing"))
        let delivery = Delivery(settlement)
        try await delivery.reject([])
        delivery.settle(.acknowledged)
    }

    private func rejection(ordinal: Int) -> Rejection {
        Rejection(
            .testing(ordinal, ordinal: ordinal), stage: "batch", code: "conflict", reason: "known")
    }
}

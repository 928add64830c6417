import Concurrency
import Logging
import PipelineCore
import PipelineTesting
import Testing

@testable import PipelineRuntime

@Suite("Delivery", .timeLimit(.minutes(5)))
struct DeliveryLoopTests {
    private let world = RunningPipeline()
    private let ledger = FakeLedger()
    private let unavailable = PipelineError.retryable("bus-unavailable", "away")

    /// Runs a loop for each sink until `body` returns.
    private func delivering(
        to sinks: [(id: String, sink: RecordingSink)], lease: Duration = .seconds(30),
        _ body: () async throws -> Void
    ) async throws {
        let environment = world.environment()
        let barrier = world.barrier(ledger, environment, lease: lease)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (id, sink) in sinks {
                let loop = DeliveryLoop(
                    stage: id, barrier: barrier, sink: sink, environment: environment)
                group.addTask { try await loop.run() }
            }
            try await body()
            environment.stop.set()
            // A sink that is away is tried again within the grace; here nobody moves the clock for
            // it.
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
    }

    @Test("marks a batch for each sink once the sink has it")
    func marks() async throws {
        let (ready, answers) = (RecordingSink(), RecordingSink())
        ledger.putOutcomes(of: [1, 2], to: ["ready", "answers"])
        try await delivering(to: [("ready", ready), ("answers", answers)]) {
            try await ledger.calls.reaches(2)
        }
        #expect(Set(ledger.calls.entries) == ["delivered 1 to ready", "delivered 1 to answers"])
        #expect(ready.batches.entries.map { $0.outcomes.count } == [2])
        #expect(answers.batches.count == 1)
    }

    @Test("to one sink goes on while another fails")
    func independence() async throws {
        let (ready, broken) = (RecordingSink(), RecordingSink())
        for _ in 0..<30 { broken.failures.add(unavailable) }
        for number in 1...5 { ledger.putOutcomes(of: [number], to: ["ready", "broken"]) }
        try await delivering(to: [("ready", ready), ("broken", broken)]) {
            try await ready.batches.reaches(5)
        }
        #expect(broken.batches.count == 0)
        #expect(
            !ledger.calls.entries.contains { $0.hasPrefix("delivered") && $0.hasSuffix("broken") })
    }

    @Test("to one sink goes on while another hangs")
    func hanging() async throws {
        let (ready, hanging) = (RecordingSink(), RecordingSink(isOpen: false))
        for number in 1...3 { ledger.putOutcomes(of: [number], to: ["ready", "hanging"]) }
        try await delivering(to: [("ready", ready), ("hanging", hanging)]) {
            try await ready.batches.reaches(3)
            hanging.gate.set()
        }
    }

    @Test("that fails is given back for a while, and repeats the same ids and bytes")
    func repeats() async throws {
        let sink = RecordingSink()
        for _ in 0..<3 { sink.failures.add(unavailable) }
        ledger.putOutcomes(of: [1, 2], to: ["ready"])
        try await delivering(to: [("ready", sink)]) {
            try await world.advance(by: .milliseconds(200)) { sink.batches.count == 1 }
            try await ledger.calls.reaches(2)
        }
        #expect(
            ledger.calls.entries.filter { !$0.hasPrefix("extend") }
                == ["releaseDelivery 1 to ready", "delivered 1 to ready"])
        #expect(ledger.pauses.count == 1)
        #expect(
            ledger.pauses.entries.allSatisfy { (.milliseconds(2500) ... .seconds(5)).contains($0) }
        )
        #expect(sink.batches.entries[0].outcomes == [.testing(1), .testing(2)])
    }

    @Test("parks what the sink refuses for good, tells of it once, and goes on with the rest")
    func refusals() async throws {
        let sink = RecordingSink(refusing: [2, 4])
        ledger.putOutcomes(of: 1...5, to: ["ready"])
        ledger.putOutcomes(of: [6], to: ["ready"])
        try await delivering(to: [("ready", sink)]) { try await ledger.calls.reaches(2) }
        #expect(ledger.calls.entries == ["delivered 1 to ready", "delivered 2 to ready"])
        #expect(ledger.refusals.entries.map(\.outcome.caseNumber) == [2, 4])
        #expect(ledger.refusals.entries.allSatisfy { $0.outcome.code == "record-too-large" })
        let told = world.log.events.filter { $0.message.contains("parked") }
        #expect(told.count == 1)
        #expect(told.first?.metadata["refused"].map { "\($0)" } == "2")
        #expect(told.first?.metadata["reason"].map { "\($0)" } == "too large for the topic")
        #expect(world.observer.deliveries.entries == ["3 to ready", "1 to ready"])
        #expect(world.observer.parked.entries == ["2 record-too-large at ready"])
    }

    @Test(
        "ends the pipeline with a sentence when a sink refuses a case that it was not given, or one twice",
        arguments: [
            ([2, 7], "stage ready refuses case 7, which it was not given"),
            ([2, 2], "stage ready refuses case 2 twice"),
        ])
    func foreignRefusal(_ refused: [Int64], _ sentence: String) async throws {
        struct ScriptedOutcomeSink: OutcomeSink {
            let refused: [Int64]
            func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
                refused.map {
                    OutcomeRefusal(caseNumber: $0, code: "record-too-large", reason: "too large")
                }
            }
        }
        ledger.putOutcomes(of: [1, 2, 3], to: ["ready"])
        let environment = world.environment()
        let loop = DeliveryLoop(
            stage: "ready", barrier: world.barrier(ledger, environment),
            sink: ScriptedOutcomeSink(refused: refused), environment: environment)
        let error = await #expect(throws: PipelineError.self) { try await loop.run() }
        #expect(error?.code == "sink-mismatch" && error?.disposition == .fatal)
        #expect(error?.message == sentence)
        // Nothing is parked that nobody can find, and whoever comes next finds the batch.
        #expect(ledger.refusals.count == 0)
        #expect(!ledger.calls.entries.contains { $0.hasPrefix("delivered") })
    }

    @Test("that fails for good is tried ever more rarely, while others go on")
    func lastingTrouble() async throws {
        let sink = RecordingSink()
        for _ in 0..<12 { sink.failures.add(.permanent("bus-forbidden", "no right to write")) }
        ledger.putOutcomes(of: [1], to: ["ready"])
        try await delivering(to: [("ready", sink)]) { try await sink.batches.reaches(1) }
        // Once for each claim, not three times.
        let pauses = ledger.pauses.entries
        #expect(pauses.count == 12)
        for (index, pause) in pauses.enumerated() {
            let longest = min(Duration.seconds(5 << index), .seconds(600))
            #expect((longest / 2...longest).contains(pause), "the \(index + 1)th: \(pause)")
        }
        // Told as it began and when it ended; nobody moved the clock in between.
        let told = world.log.events.map(\.message).filter { $0.hasPrefix("delivery") }
        #expect(told == ["delivery failed; it will be tried again", "delivery works again"])
    }

    @Test("to a sink that is away is told of once and then once a minute, not for each try")
    func quiet() async throws {
        let sink = RecordingSink()
        for _ in 0..<3000 { sink.failures.add(unavailable) }
        for number in 1...20 { ledger.putOutcomes(of: [number], to: ["ready"]) }
        let start = world.time.now
        try await delivering(to: [("ready", sink)]) {
            try await world.advance(by: .milliseconds(100)) { sink.batches.count == 20 }
        }
        let minutes = Int(start.duration(to: world.time.now).components.seconds / 60)
        #expect(minutes > 1)
        let told = world.log.events
        #expect(told.count(where: { $0.level == .warning }) <= minutes + 1)
        #expect(told.count <= minutes + 2)
        #expect(told.last?.message == "works again")
        #expect(told.last?.metadata["failures"]?.description == "3000")
    }

    @Test("is repeated, not lost, when its mark can't be written at first")
    func lostMark() async throws {
        let sink = RecordingSink()
        ledger.putOutcomes(of: [1], to: ["ready"])
        ledger.fail(.delivered, .fenced("lease-lost", "somebody else delivers it"))
        ledger.putOutcomes(of: [2], to: ["ready"])
        try await delivering(to: [("ready", sink)]) { try await ledger.calls.reaches(1) }
        #expect(ledger.calls.entries == ["delivered 2 to ready"])
        #expect(sink.batches.entries.map(\.number) == [1, 2])
    }

    @Test("extends its lease while the sink takes its time")
    func heartBeat() async throws {
        let sink = RecordingSink(isOpen: false)
        ledger.putOutcomes(of: [1], to: ["ready"])
        try await delivering(to: [("ready", sink)]) {
            for beat in 1...4 {
                try await world.time.sleepers()
                world.time.advance(by: .seconds(10))
                try await ledger.calls.reaches(beat)
            }
            sink.gate.set()
            try await ledger.calls.reaches(5)
        }
        #expect(
            ledger.calls.entries
                == Array(repeating: "extend 1 to ready", count: 4) + ["delivered 1 to ready"])
    }

    @Test("stops the pipeline when a sink can't go on")
    func fatal() async throws {
        let sink = RecordingSink()
        sink.failures.add(.fatal("unknown-codec", "no codec"))
        ledger.putOutcomes(of: [1], to: ["ready"])
        let environment = world.environment()
        let loop = DeliveryLoop(
            stage: "ready", barrier: world.barrier(ledger, environment), sink: sink,
            environment: environment)
        await #expect(throws: PipelineError.self) { try await loop.run() }
        #expect(ledger.calls.entries == ["handBackDelivery 1 to ready"])
    }

    @Test(
        "leaves a delivery to a silent worker for a minute at most, however long its batches take",
        arguments: [(Duration.seconds(600), Duration.seconds(60)), (.seconds(30), .seconds(30))])
    func deliveryLease(lease: Duration, expected: Duration) async throws {
        let sink = RecordingSink(isOpen: false)
        ledger.putOutcomes(of: [1], to: ["ready"])
        try await delivering(to: [("ready", sink)], lease: lease) {
            try await world.time.sleepers()
            world.time.advance(by: expected / 3)
            try await ledger.deliveryLeases.reaches(2)
            sink.gate.set()
            try await ledger.calls.reaches(2)
        }
        #expect(ledger.deliveryLeases.entries == [expected, expected])
    }
}

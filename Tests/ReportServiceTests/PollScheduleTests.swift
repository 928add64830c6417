import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import Testing

@testable import ReportService

@Suite("The time to ask again", .timeLimit(.minutes(5)))
struct PollScheduleTests {
    private let time = ManualClock()
    private let cases = FakeCases()

    /// What a thousand callers are told.
    private func pauses(_ state: CaseState, sealing: Duration?) async throws -> [Duration] {
        // The store's clock is an hour behind this process's.
        let clock = time.timestamp.advanced(by: .hours(-1))
        cases.expectSealing(at: sealing.map { clock.advanced(by: $0) }, clock: clock)
        let schedule = PollSchedule(
            cases: cases, clock: time.clock, random: RandomSource(seed: 1))
        let snapshot = CaseSnapshot(
            id: .testing(1), state: state, acceptedAt: time.timestamp,
            deadline: time.timestamp.advanced(by: .hours(1)), outcome: nil)
        var pauses: [Duration] = []
        for _ in 0..<1000 {
            pauses.append(try #require(try await schedule.status(of: snapshot).pollAfter).duration)
        }
        return pauses
    }

    @Test("is about when the batch will be sealed, later by up to a quarter")
    func schedule() async throws {
        let pauses = try await pauses(.pending, sealing: .seconds(100))
        #expect(pauses.allSatisfy { $0 >= .seconds(100) && $0 <= .seconds(125) })
        // Those who asked together do not come back together.
        #expect(Set(pauses.map(\.components.seconds)).count > 20)
        #expect(cases.scheduleLooks.count == 1)
    }

    @Test(
        "is never nearer than a second nor further than five minutes",
        arguments: [
            (.pending, .hours(12)), (.pending, .seconds(-5)), (.pending, nil),
            (.sealed, .hours(12)), (.running, nil),
        ] as [(CaseState, Duration?)])
    func bounds(_ state: CaseState, _ sealing: Duration?) async throws {
        let pauses = try await pauses(state, sealing: sealing)
        #expect(pauses.allSatisfy { $0 >= PollSchedule.shortest })
        #expect(pauses.allSatisfy { $0 <= PollSchedule.longest })
        #expect(Set(pauses).count > 500)
        let isFar = state == .pending && sealing == .hours(12)
        #expect(pauses.allSatisfy { isFar ? $0 >= .seconds(240) : $0 <= .milliseconds(1250) })
    }

    @Test(
        "of a pending case tells what it waits for, in a sentence as well",
        arguments: [
            (512, 60, "sealed at 512 requests, 211 wait, or at 1970-01-01T00:01:00Z by max_age"),
            (nil, 60, "sealed at 1970-01-01T00:01:00Z by max_age"),
            (512, nil, "sealed at 512 requests, 211 wait"),
            (nil, 0, "sealed now by max_age"),
            (nil, nil, "sealed when an operator asks for it"),
        ] as [(Int?, Int64?, String)])
    func waiting(_ fullAt: Int?, _ seconds: Int64?, _ sentence: String) async throws {
        let sealing = seconds.map { Timestamp.epoch.advanced(by: .seconds($0)) }
        cases.expect(
            ExpectedSealing(
                at: sealing, closedBy: sealing.map { _ in "max_age" }, waiting: 211,
                fullAt: fullAt, clock: .epoch))
        let status = try await status(.pending)
        #expect(status.waitsFor == sentence)
        #expect(status.batchFill == 211)
        #expect(status.batchLimit == fullAt.map(Int32.init))
        #expect(status.expectedAt?.seconds == seconds)
    }

    @Test(
        "of a case in a batch tells what that waits for",
        arguments: zip(
            [CaseState.sealed, .running],
            ["its batch is sealed and waits for a worker", "its batch is being generated"]))
    func inBatch(_ state: CaseState, _ sentence: String) async throws {
        cases.expect(ExpectedSealing(at: .epoch, waiting: 211, fullAt: 512, clock: .epoch))
        let status = try await status(state)
        #expect(status.waitsFor == sentence)
        #expect(
            status.batchFill == nil && status.batchLimit == nil && status.expectedAt == nil)
    }

    private func status(_ state: CaseState) async throws -> ReportStatus {
        try await PollSchedule(cases: cases, clock: time.clock, random: RandomSource(seed: 1))
            .status(
                of: CaseSnapshot(
                    id: .testing(1), state: state, acceptedAt: .epoch, deadline: .epoch,
                    outcome: nil))
    }

    @Test("looks at the schedule again after a second")
    func refresh() async throws {
        cases.expectSealing(
            at: time.timestamp.advanced(by: .seconds(100)), clock: time.timestamp)
        let schedule = PollSchedule(
            cases: cases, clock: time.clock, random: RandomSource(seed: 1))
        let snapshot = CaseSnapshot(
            id: .testing(1), state: .pending, acceptedAt: time.timestamp,
            deadline: time.timestamp, outcome: nil)
        for round in 1...3 {
            for _ in 0..<10 { _ = try await schedule.status(of: snapshot) }
            #expect(cases.scheduleLooks.count == round)
            time.advance(by: .milliseconds(999))
            _ = try await schedule.status(of: snapshot)
            #expect(cases.scheduleLooks.count == round)
            time.advance(by: .milliseconds(1))
        }
    }

    @Test("knows the store's time from one look, and looks again after a minute")
    func storeTime() async throws {
        let store = Timestamp(microseconds: 5_000_000)
        cases.expectSealing(at: nil, clock: store)
        let schedule = PollSchedule(cases: cases, clock: time.clock, random: RandomSource(seed: 1))
        for second in 0..<60 {
            #expect(await schedule.storeTime() == store.advanced(by: .seconds(second)))
            time.advance(by: .seconds(1))
        }
        #expect(cases.scheduleLooks.count == 1)
        // The store's clock was set right meanwhile.
        cases.expectSealing(at: nil, clock: store.advanced(by: .hours(1)))
        #expect(await schedule.storeTime() == store.advanced(by: .hours(1)))
        #expect(cases.scheduleLooks.count == 2)
    }
}

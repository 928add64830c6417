import PipelineCore
import PipelineTesting
import Synchronization
import Testing

@testable import Stages

/// Answers what the test says, and keeps what it was called with.
final class ScriptedEndpoint: WebhookEndpoint {
    let calls = Journal<WebhookCall>()
    private let answers = Mutex<[UUID: WebhookAnswer]>([:])

    /// From now on; any other call is delivered.
    func answer(_ number: Int, _ answer: WebhookAnswer?) {
        answers.withLock { $0[Outcome.testing(number).id] = answer }
    }

    func call(_ calls: [WebhookCall]) async throws -> [WebhookAnswer] {
        for call in calls { self.calls.note(call) }
        return answers.withLock { answers in calls.map { answers[$0.id] ?? .delivered } }
    }
    func longestCalls(_ count: Int) -> Duration { .seconds(count) }
    func probe() async throws {}
    func close() async {}
}

@Suite("A publish to a webhook", .timeLimit(.minutes(5)))
struct WebhookOutcomeSinkTests {
    private let endpoint = ScriptedEndpoint()
    private let failed = WebhookAnswer.failed(.retryable(.webhookUnavailable, "away"))
    private let refused = WebhookAnswer.refused(.permanent(.tooLarge, "too large"))

    private var sink: WebhookOutcomeSink {
        WebhookOutcomeSink(endpoint: endpoint, encoder: FakeEncoder())
    }

    private func batch(
        _ numbers: ClosedRange<Int> = 1...3, number: Int64 = 1, attempts: Int = 1
    ) -> OutcomeBatch {
        OutcomeBatch(
            number: number, token: 1, attempts: attempts, outcomes: numbers.map { .testing($0) })
    }

    /// The cases that were called for, and forgets them.
    private func called(_ before: Int = 0) -> [Int] {
        endpoint.calls.entries.dropFirst(before).map { Int($0.id.low) }
    }

    @Test("keeps what its role promises", arguments: OutcomeSinkConformance.checks)
    func conformance(_ check: OutcomeSinkConformance.Check) async throws {
        try await check.run(
            OutcomeSinkConformance(sink) { [endpoint] in endpoint.calls.entries.map(\.body) })
    }

    @Test("calls once for each outcome, under its id, with its trace and what the body is")
    func calls() async throws {
        struct Encoder: OutcomeEncoder {
            func announcement(_ outcome: Outcome) throws -> OutgoingRecord {
                OutgoingRecord(
                    key: nil, payload: [1],
                    headers: [Header("Content-Type", "text/plain"), Header("event_id", "x")])
            }
            func cached(_ outcome: Outcome) throws -> Bytes { [] }
            func recognize(_ bytes: Bytes, of id: UUID) -> CachedAnswer { .foreign }
        }
        var outcome = Outcome.testing(5)
        outcome.trace = TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        let sink = WebhookOutcomeSink(endpoint: endpoint, encoder: Encoder())
        _ = try await sink.deliver(OutcomeBatch(number: 1, token: 1, outcomes: [outcome]))
        let call = try #require(endpoint.calls.entries.first)
        #expect(call.id == outcome.id)
        #expect(call.body == [1])
        #expect(call.headers.map(\.name) == ["Content-Type", "traceparent"])
    }

    @Test("refuses what the receiver refuses, and delivers the rest")
    func refusals() async throws {
        endpoint.answer(2, refused)
        let found = try await sink.deliver(batch())
        #expect(found.map(\.caseNumber) == [2])
        #expect(found.map(\.code) == [.tooLarge])
    }

    @Test("calls again only for what has no answer, and still tells of what was refused")
    func remembers() async throws {
        let sink = sink
        endpoint.answer(1, refused)
        endpoint.answer(2, failed)
        for attempts in 1...2 {
            await #expect(throws: PipelineError.self) {
                _ = try await sink.deliver(batch(attempts: attempts))
            }
        }
        #expect(called() == [1, 2, 3, 2])
        endpoint.answer(2, nil)
        let found = try await sink.deliver(batch(attempts: 3))
        #expect(found.map(\.caseNumber) == [1])
        #expect(called(4) == [2])
        // It is over: whoever wants it again, gets all of it.
        _ = try await sink.deliver(batch(attempts: 4))
        #expect(called(5) == [1, 2, 3])
    }

    @Test("calls for all where another process may have had the batch in between")
    func forgets() async throws {
        let sink = sink
        endpoint.answer(2, failed)
        await #expect(throws: PipelineError.self) { _ = try await sink.deliver(batch()) }
        endpoint.answer(2, nil)
        _ = try await sink.deliver(batch(attempts: 3))
        #expect(called(3) == [1, 2, 3])
    }

    @Test("remembers few batches, the last ones")
    func bounded() async throws {
        let sink = sink
        endpoint.answer(2, failed)
        for number in 1...65 {
            await #expect(throws: PipelineError.self) {
                _ = try await sink.deliver(batch(number: Int64(number)))
            }
        }
        endpoint.answer(2, nil)
        let before = endpoint.calls.count
        _ = try await sink.deliver(batch(number: 65))
        _ = try await sink.deliver(batch(number: 2))
        #expect(called(before) == [2, 2])
        _ = try await sink.deliver(batch(number: 1))
        #expect(called(before + 2) == [1, 2, 3])
    }

    @Test("may take as long as its calls")
    func longest() {
        #expect(sink.longestDelivery(of: 7) == .seconds(7))
    }
}

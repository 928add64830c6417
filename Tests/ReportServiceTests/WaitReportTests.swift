import Concurrency
import GRPCTransport
import Metrics
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import Testing

@testable import ReportService

@Suite("WaitReport", .timeLimit(.minutes(5)))
struct WaitReportTests {
    private let cases = FakeCases()
    private let id = UUID.testing(1).description

    @Test("answers when the outcome has been committed")
    func waits() async throws {
        cases.put(1, .pending)
        let metrics = MetricRegistry()
        let gauge = "penstock_waiting_readers{server_address=\"127.0.0.1:0\"}"
        try await withReportServer(cases: cases, metrics: metrics) { client in
            #expect(metrics.exposition().contains("\(gauge) 0\n"))
            async let answer = client.wait(id)
            try await cases.statements.reaches(1)
            while !metrics.exposition().contains("\(gauge) 1\n") { await Task.yield() }
            cases.put(1, .succeeded, outcome: .testing(1))
            cases.outcomesCommitted.send()
            guard case .report(let report)? = try await answer.result else {
                Issue.record("no report")
                return
            }
            #expect(report.viewsCount == 1)
        }
    }

    @Test("answers with the status when its time is over")
    func timeout() async throws {
        cases.put(1, .running)
        try await withReportServer(cases: cases) { client in
            guard
                case .status(let status)? = try await client.wait(
                    id, Google_Protobuf_Duration(.milliseconds(1))
                ).result
            else {
                Issue.record("no status")
                return
            }
            #expect(status.state == .running)
        }
    }

    @Test("answers with the status when the server stops or reloads", arguments: [false, true])
    func ending(_ isReload: Bool) async throws {
        cases.put(1, .running)
        let metrics = MetricRegistry()
        let waits = "penstock_waiting_readers{server_address=\"127.0.0.1:0\"} 1\n"
        let ending = AsyncEvent()
        try await withReportServer(
            cases: cases, metrics: metrics, ending: ending, isAddressKept: isReload
        ) { client in
            async let answer = client.wait(id)
            while !metrics.exposition().contains(waits) { await Task.yield() }
            ending.set()
            guard case .status(let status)? = try await answer.result else {
                Issue.record("no status")
                return
            }
            #expect(status.state == .running)
        }
    }

    @Test("of an unknown case does not wait: NOT_FOUND")
    func unknown() async throws {
        try await withReportServer(cases: cases) { client in
            let status = await failure { () throws(GRPCStatusError) in try await client.wait(id) }
            #expect(status?.code == .notFound)
            #expect(status?.reason == "UNKNOWN_CASE")
        }
    }

    @Test("waits no longer than a minute, and says so", arguments: [-1, 0, 61] as [Int64])
    func bounds(_ seconds: Int64) async throws {
        try await withReportServer(cases: cases) { client in
            let status = await failure { () throws(GRPCStatusError) in
                try await client.wait(id, Google_Protobuf_Duration(.seconds(seconds)))
            }
            #expect(status?.code == .invalidArgument)
            #expect(status?.message == "timeout must be above 0s, at most 60s")
        }
    }

    @Test("waits a minute where nobody says how long")
    func unset() async throws {
        let time = ManualClock()
        cases.put(1, .running)
        try await withReportServer(cases: cases, clock: time.clock) { client in
            let begin = time.clock.now
            let answered = Journal<Duration>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [id] in
                    _ = try await client.wait(id)
                    answered.note(begin.duration(to: time.clock.now))
                }
                while answered.count == 0 {
                    if time.sleeperCount > 0 { time.advance(by: .milliseconds(250)) }
                    await Task.yield()
                }
                try await group.waitForAll()
            }
            let took = try #require(answered.entries.first)
            // The clock may move on while the answer is on its way.
            #expect(took >= .seconds(60) && took < .seconds(90))
        }
    }

    @Test("of ten thousand callers costs one look a second, as one of them does")
    func many() async throws {
        let time = ManualClock()
        let readers = WaitingReaders(cases: cases, clock: time.clock)
        let deadline = time.clock.now.advanced(by: .seconds(20))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await readers.run() }
            for number in 0..<10_000 {
                group.addTask {
                    try await readers.wait(for: .testing(number % 500), until: deadline)
                }
            }
            while time.clock.now < deadline {
                if time.sleeperCount > 0 { time.advance(by: .milliseconds(500)) }
                await Task.yield()
            }
            for _ in 0..<10_000 { try await group.next() }
            group.cancelAll()
        }
        #expect((1...21).contains(cases.statements.count))
    }
}

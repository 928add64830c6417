import GRPCTransport
import Metrics
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import Testing

@testable import ReportService

@Suite("GetReport", .timeLimit(.minutes(5)))
struct GetReportTests {
    private let cases = FakeCases()

    @Test("answers with the report, and from memory from then on")
    func report() async throws {
        let cache = FakeOutcomeCache()
        let metrics = MetricRegistry()
        cases.put(1, .succeeded, outcome: .testing(1))
        try await withReportServer(cases: cases, cache: cache, metrics: metrics) { client in
            for _ in 0..<3 {
                let answer = try await client.get(1)
                #expect(answer.caseID == UUID.testing(1).description)
                #expect(answer.report?.viewsCount == 1)
            }
        }
        let told = metrics.exposition()
        #expect(
            told.contains("penstock_report_memory_hits_total{server_address=\"127.0.0.1:0\"} 2\n"))
        #expect(
            told.contains("penstock_report_memory_misses_total{server_address=\"127.0.0.1:0\"} 1\n")
        )
        #expect(cases.statements.count == 1)
        #expect(cache.lookups.count == 1)
        // What the ledger answered is put back for the others.
        #expect(cache.stored.entries == [.testing(1)])
    }

    @Test("answers from the shared cache without a statement")
    func cached() async throws {
        let cache = FakeOutcomeCache()
        try cache.put(7)
        try await withReportServer(cases: cases, cache: cache) { client in
            for _ in 0..<2 {
                let answer = try await client.get(7)
                #expect(answer.report?.viewsCount == 7)
            }
        }
        #expect(cases.statements.count == 0)
        #expect(cache.lookups.count == 1)
    }

    @Test(
        "of a case that is not ready is an answer with a sentence and a time to ask again",
        arguments: zip(
            [CaseState.pending, .sealed, .running], ["Pending", "Sealed", "Running"]))
    func open(_ state: CaseState, _ title: String) async throws {
        cases.put(1, state)
        try await withReportServer(cases: cases) { client in
            let answer = try await client.get(1)
            let status = try #require(answer.status)
            #expect(status.state == ReportState(state))
            #expect(status.message == "Report is not done! Report status is \(title)")
            #expect(status.pollAfter != nil)
            #expect(status.deadline?.seconds == 86_400)
        }
    }

    @Test("of a case that is not ready asks the ledger every time: it is never remembered")
    func pendingIsNotRemembered() async throws {
        cases.put(1, .pending)
        try await withReportServer(cases: cases) { client in
            let open = try await client.get(1)
            #expect(open.status?.state == .pending)
            cases.put(1, .succeeded, outcome: .testing(1))
            let final = try await client.get(1)
            #expect(final.report != nil)
        }
    }

    @Test("of a case that failed is an answer with the state and the reason")
    func failed() async throws {
        var outcome = Outcome.testing(1)
        outcome.state = .failed
        outcome.reason = "no-data: there is none"
        cases.put(1, .failed, outcome: outcome)
        try await withReportServer(cases: cases) { client in
            let status = try await client.get(1).status
            #expect(status?.state == .failed)
            #expect(status?.message == "no-data: there is none")
        }
    }

    @Test(
        "of a case that did not succeed asks the ledger every time: a repeat may open it again anywhere",
        arguments: [CaseState.failed, .cancelled, .expired])
    func overtaken(_ state: CaseState) async throws {
        let cache = FakeOutcomeCache()
        var outcome = Outcome.testing(1)
        outcome.state = state
        cases.put(1, state, outcome: outcome)
        try await withReportServer(cases: cases, cache: cache) { client in
            let first = try await client.get(1)
            #expect(first.status?.state == ReportState(state))
            #expect(first.revision == 1)
            // Another process opens it again.
            cases.put(1, .pending, revision: 2)
            let created = try await client.create(.with { $0.caseID = UUID.testing(1).description })
            #expect(created.status?.state == .pending)
            #expect(created.revision == 2)
            let open = try await client.get(1)
            #expect(open.status?.state == .pending)
            #expect(open.revision == 2)
            var second = Outcome.testing(1)
            second.revision = 2
            cases.put(1, .succeeded, outcome: second)
            let final = try await client.get(1)
            #expect(final.report != nil)
            #expect(final.revision == 2)
        }
        // What does not last is put back nowhere.
        #expect(cache.stored.entries == [.testing(1)])
    }

    @Test("of an unknown case is NOT_FOUND")
    func unknown() async throws {
        try await withReportServer(cases: cases) { client in
            let status = await failure { () throws(GRPCStatusError) in try await client.get(1) }
            #expect(status?.code == .notFound)
        }
    }

    @Test("without a proper id is INVALID_ARGUMENT and costs no statement")
    func malformed() async throws {
        try await withReportServer(cases: cases) { client in
            for (id, sentence) in [
                ("", "case_id is missing"), ("7", "case_id is not a UUID: \"7\""),
            ] {
                let status = await failure { () throws(GRPCStatusError) in
                    try await client.get(id)
                }
                #expect(status?.code == .invalidArgument)
                #expect(status?.message == sentence)
            }
        }
        #expect(cases.statements.count == 0)
    }

    @Test("is UNAVAILABLE while the ledger is away")
    func unavailable() async throws {
        cases.failures.add(.retryable("store-unavailable", "away"))
        try await withReportServer(cases: cases) { client in
            let status = await failure { () throws(GRPCStatusError) in try await client.get(1) }
            #expect(status?.code == .unavailable)
        }
    }

    @Test("has a ceiling of statements, whatever is asked: thousands of unknown and open cases")
    func ceiling() async throws {
        let count = 4000
        for number in 0..<count / 2 { cases.put(number, .pending) }
        let answers = Journal<Bool>()
        let took = try await ContinuousClock().measure {
            try await withReportServer(cases: cases) { client in
                await withTaskGroup(of: Void.self) { group in
                    for number in 0..<count {
                        group.addTask {
                            do throws(GRPCStatusError) {
                                let answer = try await client.get(number)
                                answers.note(answer.status?.state == .pending)
                            } catch { answers.note(error.code == .notFound) }
                        }
                    }
                }
            }
        }
        #expect(answers.count == count)
        #expect(answers.entries.allSatisfy { $0 })
        // One statement a window of 4 ms at the most, and none larger than its bound.
        #expect(Double(cases.statements.count) <= took / .milliseconds(4) + 1)
        #expect(cases.statements.count < count / 4)
        #expect(cases.statements.entries.allSatisfy { $0 <= SnapshotBatcher.maxCases })
        // The schedule is asked for once a second, not once a case.
        #expect(Double(cases.scheduleLooks.count) <= took / .seconds(1) + 2)
    }
}

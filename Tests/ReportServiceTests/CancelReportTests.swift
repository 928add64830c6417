import GRPCTransport
import PipelineCore
import PipelineTesting
import ReportMessages
import Testing

@Suite("CancelReport", .timeLimit(.minutes(5)))
struct CancelReportTests {
    @Test(
        "ends a case that has no outcome, and says so as often as it is asked",
        arguments: [
            CaseState.pending, .sealed, .running,
        ])
    func open(_ state: CaseState) async throws {
        let cases = FakeCases()
        cases.put(1, state)
        try await withReportServer(cases: cases) { client in
            for _ in 1...2 {
                let answer = try await client.cancel(UUID.testing(1).description)
                #expect(answer.caseID == UUID.testing(1).description)
                guard case .status(let status)? = answer.result else {
                    Issue.record("not a status: \(answer)")
                    return
                }
                #expect(status.state == .cancelled)
                #expect(status.message.contains("cancelled by its requester"))
            }
            #expect(try await client.get(1).status?.state == .cancelled)
        }
    }

    @Test("answers the report of a case that has one, and ends nothing")
    func finished() async throws {
        let cases = FakeCases()
        cases.put(1, .succeeded, outcome: .testing(1))
        try await withReportServer(cases: cases) { client in
            for _ in 1...2 {
                let answer = try await client.cancel(UUID.testing(1).description)
                #expect(answer.result == .report(try await client.get(1).report!))
            }
        }
    }

    @Test("is one statement for those who come together")
    func together() async throws {
        let cases = FakeCases()
        for number in 1...200 { cases.put(number, .pending) }
        try await withReportServer(cases: cases) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...200 {
                    group.addTask { _ = try await client.cancel(UUID.testing(number).description) }
                }
                try await group.waitForAll()
            }
        }
        #expect(cases.endings.entries.map(\.count).reduce(0, +) == 200)
        #expect(cases.endings.entries.count < 200)
    }

    @Test("refuses what is no case, and may be called again when the ledger is away")
    func refused() async throws {
        let cases = FakeCases()
        cases.put(1, .pending)
        try await withReportServer(cases: cases) { client in
            let unknown = await failure { () throws(GRPCStatusError) in
                try await client.cancel(UUID.testing(9).description)
            }
            #expect(unknown?.code == .notFound && unknown?.reason == "UNKNOWN_CASE")
            let invalid = await failure { () throws(GRPCStatusError) in
                try await client.cancel("no id")
            }
            #expect(invalid?.code == .invalidArgument)
            cases.failures.add(.retryable("store-unavailable", "away"))
            let away = await failure { () throws(GRPCStatusError) in
                try await client.cancel(UUID.testing(1).description)
            }
            #expect(away?.code == .unavailable)
            let answer = try await client.cancel(UUID.testing(1).description)
            #expect(answer.status?.state == .cancelled)
        }
    }
}

extension CancelReportResponse {
    fileprivate var status: ReportStatus? {
        if case .status(let status)? = result { status } else { nil }
    }
}

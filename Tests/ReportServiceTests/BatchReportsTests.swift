import GRPCTransport
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import Testing

@Suite("BatchCreateReports", .timeLimit(.minutes(5)))
struct BatchCreateReportsTests {
    private func requests(_ numbers: Int...) -> [ReportRequest] {
        numbers.map { number in .with { $0.caseID = UUID.testing(number).description } }
    }

    @Test("hands in all at once, and says of each what became of it, in order")
    func answers() async throws {
        let cases = FakeCases()
        cases.put(2, .running, revision: 3)
        let port = ScriptedPort { record in
            let id = try ReportRequest(serializedBytes: record.payload).caseID
            if id == UUID.testing(3).description {
                throw PipelineError.retryable("store-unavailable", "away")
            }
            return id.isEmpty
                ? .rejected(
                    Rejection(record, stage: "s", code: .invalidArgument, reason: "no id"))
                : .accepted
        }
        try await withReportServer(port: port, cases: cases) { client in
            var wanted = requests(1, 2, 3)
            wanted.append(ReportRequest())
            let reports = try await client.create(wanted).reports
            #expect(reports.map(\.caseID) == wanted.map(\.caseID))
            #expect(reports.map(\.wasKnown) == [false, true, false, false])
            #expect(reports.map(\.revision) == [0, 3, 0, 0])
            #expect(reports.prefix(2).map(\.state) == [.pending, .running])
            #expect(reports.suffix(2).map(\.code) == ["UNAVAILABLE", "INVALID_ARGUMENT"])
        }
    }

    @Test("says that nothing was accepted when the store is away, and how many go at once")
    func refused() async throws {
        let port = ScriptedPort { _ in throw PipelineError.retryable("store-unavailable", "away") }
        try await withReportServer(port: port) { client in
            let away = await failure { () throws(GRPCStatusError) in
                try await client.create(requests(1, 2))
            }
            #expect(away?.code == .unavailable && away?.reason == "STORE_UNAVAILABLE")
            for wanted in [[], Array(repeating: ReportRequest(), count: 1001)] {
                let status = await failure { () throws(GRPCStatusError) in
                    try await client.create(wanted)
                }
                #expect(status?.code == .invalidArgument)
            }
        }
    }
}

extension CreatedReport {
    fileprivate var state: ReportState? {
        if case .status(let status)? = result { status.state } else { nil }
    }
    fileprivate var code: String? {
        if case .error(let error)? = result { error.code } else { nil }
    }
}

@Suite("BatchGetReports", .timeLimit(.minutes(5)))
struct BatchGetReportsTests {
    @Test("answers each case once in the order asked for, and names those there are none of")
    func answers() async throws {
        let cases = FakeCases()
        cases.put(1, .pending)
        cases.put(2, .succeeded, outcome: .testing(2))
        try await withReportServer(cases: cases) { client in
            let ids = [2, 7, 1, 2].map { UUID.testing($0).description }
            for _ in 1...2 {
                let answer = try await client.get(ids)
                #expect(answer.reports.map(\.caseID) == [ids[0], ids[2]])
                #expect(answer.reports.first?.report != nil)
                #expect(answer.reports.last?.status?.state == .pending)
                #expect(answer.unknownCaseIds == [ids[1]])
            }
            #expect(cases.statements.entries.count <= 3)
        }
    }

    @Test(
        "names everything that is wrong with the ids",
        arguments: [
            ([], "case_ids is empty"),
            (
                ["x", UUID.testing(1).description, ""],
                "case_ids[0] is not a UUID: \"x\"; case_ids[2] is not a UUID: \"\""
            ),
            (Array(repeating: "x", count: 1001), "case_ids has 1001; at most 1000 go at once"),
        ])
    func refused(_ ids: [String], _ message: String) async throws {
        try await withReportServer { client in
            let status = await failure { () throws(GRPCStatusError) in try await client.get(ids) }
            #expect(status?.code == .invalidArgument)
            #expect(status?.message == message)
        }
    }
}

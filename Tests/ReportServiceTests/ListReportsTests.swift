import GRPCTransport
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import Testing

@Suite("ListReports", .timeLimit(.minutes(5)))
struct ListReportsTests {
    private func known() -> FakeCases {
        let cases = FakeCases()
        cases.put(1, .pending, requester: "ada")
        cases.put(2, .succeeded, outcome: .testing(2), requester: "ada")
        cases.put(3, .running, requester: "bob")
        var failed = Outcome.testing(4)
        failed.state = .failed
        cases.put(4, .failed, outcome: failed, requester: "ada")
        return cases
    }

    @Test(
        "goes through the cases that are meant, page by page",
        arguments: [
            (.with { _ in }, [4, 3, 2, 1]),
            (.with { $0.pageSize = 1 }, [4, 3, 2, 1]),
            (.with { $0.pageSize = 3 }, [4, 3, 2, 1]),
            (.with { $0.orderBy = "accepted_at" }, [1, 2, 3, 4]),
            (
                .with {
                    $0.requester = "ada"
                    $0.pageSize = 2
                }, [4, 2, 1]
            ),
            (.with { $0.states = [.succeeded, .running] }, [3, 2]),
            (.with { $0.productID = "p" }, []),
            (.with { $0.acceptedFrom = .with { $0.seconds = 1 } }, []),
            (.with { $0.acceptedBefore = .with { $0.seconds = 1 } }, [4, 3, 2, 1]),
        ] as [(ListReportsRequest, [Int])])
    func pages(_ first: ListReportsRequest, _ expected: [Int]) async throws {
        try await withReportServer(cases: known()) { client in
            var request = first
            var found: [String] = []
            repeat {
                let page = try await client.list(request)
                found += page.reports.map(\.caseID)
                request.pageToken = page.nextPageToken
            } while !request.pageToken.isEmpty
            #expect(found == expected.map { UUID.testing($0).description })
        }
    }

    @Test("says where each case stands, without its report")
    func statuses() async throws {
        try await withReportServer(cases: known()) { client in
            let reports = try await client.list(ListReportsRequest()).reports
            #expect(
                reports.map { $0.status?.state } == [.failed, .running, .succeeded, .pending])
            #expect(reports.allSatisfy { $0.status?.deadline != nil && $0.revision == 1 })
            #expect(reports.last?.status?.waitsFor.isEmpty == false)
        }
    }

    @Test("names everything that is wrong at once, and a token of another list")
    func refused() async throws {
        try await withReportServer(cases: known()) { client in
            let status = await failure { () throws(GRPCStatusError) in
                try await client.list(
                    .with {
                        $0.states = [.unspecified]
                        $0.requester = "a\0"
                        $0.pageSize = -1
                        $0.orderBy = "product_id"
                        $0.acceptedFrom = .with { $0.nanos = -1 }
                        $0.pageToken = "1.0"
                    })
            }
            #expect(status?.code == .invalidArgument)
            #expect(
                status?.message == """
                    states has one that there is not; requester must not contain U+0000; \
                    page_size must not be negative; \
                    order_by must be "accepted_at" or "accepted_at desc"; \
                    accepted_from must be a time of the years 1 to 9999; \
                    page_token is not one of this list: begin without one
                    """)
            let token = try await client.list(.with { $0.pageSize = 1 }).nextPageToken
            let other = await failure { () throws(GRPCStatusError) in
                try await client.list(
                    .with {
                        $0.pageToken = token
                        $0.requester = "ada"
                    })
            }
            #expect(other?.code == .invalidArgument)
        }
    }
}

@Suite("RefreshReport", .timeLimit(.minutes(5)))
struct RefreshReportTests {
    @Test("has a finished case generated anew, whose report is answered meanwhile")
    func finished() async throws {
        let cases = FakeCases()
        cases.put(1, .succeeded, outcome: .testing(1))
        try await withReportServer(cases: cases) { client in
            let answer = try await client.refresh(UUID.testing(1).description)
            #expect(answer.caseID == UUID.testing(1).description)
            #expect(answer.status?.state == .pending)
            #expect(answer.status?.pollAfter != nil)
            #expect(answer.revision == 2)
            let read = try await client.get(1)
            #expect(read.report != nil)
            #expect(read.revision == 1)
            #expect(cases.refreshes.entries == [[UUID.testing(1)]])
        }
    }

    @Test("leaves a case that waits as it is, and knows no others")
    func open() async throws {
        let cases = FakeCases()
        cases.put(1, .running, revision: 3)
        try await withReportServer(cases: cases) { client in
            let answer = try await client.refresh(UUID.testing(1).description)
            #expect(answer.status?.state == .running)
            #expect(answer.revision == 3)
            let unknown = await failure { () throws(GRPCStatusError) in
                try await client.refresh(UUID.testing(9).description)
            }
            #expect(unknown?.code == .notFound && unknown?.reason == "UNKNOWN_CASE")
        }
    }
}

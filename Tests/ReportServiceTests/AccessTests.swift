import Foundation
import GRPCTransport
import Identity
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import Testing

@testable import ReportService

/// A client for each caller of an API with tokens.
private struct Callers: Sendable {
    let client: GRPCClient
    let tokens: [String: String]

    func call<Request: Message, Response: Message>(
        _ subject: String, _ method: MethodDescriptor<Request, Response>, _ request: Request
    ) async -> Result<Response, GRPCStatusError> {
        do {
            return .success(
                try await client.call(
                    method, request, timeout: .seconds(240),
                    metadata: ["authorization": "Bearer \(tokens[subject] ?? "")"],
                    waitForReady: true))
        } catch { return .failure(error) }
    }

    func get(_ subject: String, _ number: Int) async -> Result<GetReportResponse, GRPCStatusError> {
        await call(
            subject, ReportServiceMethods.getReport,
            .with { $0.caseID = UUID.testing(number).description })
    }
}

extension Result where Failure == GRPCStatusError {
    fileprivate var code: GRPCStatusCode {
        switch self {
        case .success: .ok
        case .failure(let error): error.code
        }
    }
}

@Suite("An API with tokens", .timeLimit(.minutes(5)))
struct AccessTests {
    private let cases = FakeCases()
    private let port = ScriptedPort()

    /// ada and bob are requesters, rhea reads, oscar operates.
    private func withCallers(_ body: (Callers) async throws -> Void) async throws {
        let path = NSTemporaryDirectory() + "penstock-tokens-\(UInt64.random(in: 0 ... .max))"
        defer { try? FileManager.default.removeItem(atPath: path) }
        var tokens: [String: String] = [:]
        let roles: [(String, Role)] = [
            ("ada", .requester), ("bob", .requester), ("rhea", .reader), ("oscar", .operator),
        ]
        for (subject, role) in roles {
            tokens[subject] = try TokenFile.create(
                in: path, for: Caller(subject: subject, role: role), lifetime: nil, now: 0
            ).token
        }
        var sources = CredentialSources()
        sources.tokens = path
        try await withReportServer(port: port, cases: cases, credentials: sources) { client in
            try await body(Callers(client: client, tokens: tokens))
        }
    }

    @Test("answers from memory whoever sees the case, and nobody else")
    func memory() async throws {
        var outcome = Outcome.testing(1)
        outcome.requester = "ada"
        cases.put(1, .succeeded, outcome: outcome, requester: "ada")
        try await withCallers { callers in
            #expect(await callers.get("bob", 1).code == .notFound)
            for _ in 1...2 {
                let ada = try await callers.get("ada", 1).get()
                #expect(ada.report?.viewsCount == 1)
                let rhea = try await callers.get("rhea", 1).get()
                #expect(rhea.report?.viewsCount == 1)
                #expect(await callers.get("bob", 1).code == .notFound)
                #expect(await callers.get("nobody", 1).code == .unauthenticated)
            }
            // In the words of a case that there never was.
            let unknown = await callers.get("bob", 2)
            let other = await callers.get("bob", 1)
            guard case .failure(let one) = unknown, case .failure(let two) = other else {
                Issue.record("answered: \(unknown) \(other)")
                return
            }
            #expect(
                one.message.replacing(UUID.testing(2).description, with: "")
                    == two.message.replacing(UUID.testing(1).description, with: ""))
            #expect(two.reason == "UNKNOWN_CASE")
        }
        #expect(cases.statements.count == 2)
    }

    @Test("has nobody see a case without a requester who does not see all")
    func unowned() async throws {
        cases.put(1, .pending)
        cases.put(2, .succeeded, outcome: .testing(2))
        try await withCallers { callers in
            for number in [1, 2, 2] {
                #expect(await callers.get("ada", number).code == .notFound)
                #expect(await callers.get("rhea", number).code == .ok)
            }
        }
    }

    @Test("does not have anybody wait for somebody else's case")
    func waiting() async throws {
        cases.put(1, .pending, requester: "ada")
        try await withCallers { callers in
            let answer = await callers.call(
                "bob", ReportServiceMethods.waitReport,
                .with { $0.caseID = UUID.testing(1).description })
            #expect(answer.code == .notFound)
        }
    }

    @Test("cancels and refreshes nothing of somebody else's")
    func changes() async throws {
        cases.put(1, .pending, requester: "ada")
        try await withCallers { callers in
            for (subject, code) in [
                ("bob", GRPCStatusCode.notFound), ("rhea", .permissionDenied),
                ("nobody", .unauthenticated),
            ] {
                let cancelled = await callers.call(
                    subject, ReportServiceMethods.cancelReport,
                    .with { $0.caseID = UUID.testing(1).description })
                let refreshed = await callers.call(
                    subject, ReportServiceMethods.refreshReport,
                    .with { $0.caseID = UUID.testing(1).description })
                #expect(cancelled.code == code && refreshed.code == code, "\(subject)")
            }
            #expect(cases.endings.count == 0 && cases.refreshes.count == 0)
            let own = await callers.call(
                "ada", ReportServiceMethods.cancelReport,
                .with { $0.caseID = UUID.testing(1).description })
            #expect(own.code == .ok)
        }
        #expect(cases.endings.count == 1)
    }

    @Test("lists to a requester what he has asked for")
    func list() async throws {
        cases.put(1, .pending, requester: "ada")
        cases.put(2, .pending, requester: "bob")
        cases.put(3, .pending)
        try await withCallers { callers in
            func listed(_ subject: String, of requester: String = "") async -> [String]? {
                let page = await callers.call(
                    subject, ReportServiceMethods.listReports, .with { $0.requester = requester })
                return try? page.get().reports.map(\.caseID)
            }
            #expect(await listed("ada") == [UUID.testing(1).description])
            #expect(await listed("ada", of: "ada") == [UUID.testing(1).description])
            #expect(await listed("ada", of: "bob") == nil)
            #expect(await listed("rhea")?.count == 3)
            #expect(await listed("oscar", of: "bob") == [UUID.testing(2).description])
            #expect(await listed("nobody") == nil)
        }
    }

    @Test("writes down who asks, and lets operators ask for others")
    func requester() async throws {
        try await withCallers { callers in
            func created(_ subject: String, _ number: Int, for requester: String? = nil) async
                -> GRPCStatusCode
            {
                await callers.call(
                    subject, ReportServiceMethods.createReport,
                    .with {
                        $0.request = .with {
                            $0.caseID = UUID.testing(number).description
                            $0.requester = requester
                        }
                    }
                ).code
            }
            #expect(await created("ada", 1) == .ok)
            #expect(await created("ada", 2, for: "ada") == .ok)
            #expect(await created("ada", 3, for: "bob") == .permissionDenied)
            #expect(await created("oscar", 4) == .ok)
            #expect(await created("oscar", 5, for: "bob") == .ok)
            #expect(await created("rhea", 6) == .permissionDenied)
            #expect(await created("nobody", 7) == .unauthenticated)
        }
        let requesters = try port.submitted.entries.map {
            try ReportRequest(serializedBytes: $0.payload).requester
        }
        #expect(requesters == ["ada", "ada", "oscar", "bob"])
    }

    @Test("tells who repeats somebody else's case id nothing about that case")
    func repeated() async throws {
        cases.put(1, .running, requester: "ada")
        try await withCallers { callers in
            let request = CreateReportRequest.with {
                $0.request = .with { $0.caseID = UUID.testing(1).description }
            }
            let other = await callers.call("bob", ReportServiceMethods.createReport, request)
            #expect(other.code == .alreadyExists)
            let own = try await callers.call("ada", ReportServiceMethods.createReport, request)
                .get()
            #expect(own.status?.state == .running)
        }
    }

    @Test("refuses in their places what one may not ask for, and tells nothing of those cases")
    func batches() async throws {
        for number in 1...3 { cases.put(number, .running, requester: "ada") }
        try await withCallers { callers in
            func request(_ number: Int, for requester: String? = nil) -> ReportRequest {
                .with {
                    $0.caseID = UUID.testing(number).description
                    $0.requester = requester
                }
            }
            let wanted = BatchCreateReportsRequest.with {
                $0.requests = [
                    request(1), request(2, for: "ada"), request(3, for: "bob"), request(4),
                ]
            }
            let reports = try await callers.call(
                "bob", ReportServiceMethods.batchCreateReports, wanted
            ).get().reports
            let codes = reports.map { report -> String? in
                if case .error(let error)? = report.result { error.code } else { nil }
            }
            #expect(codes == ["CONFLICT", "PERMISSION_DENIED", "CONFLICT", nil])
            #expect(reports.allSatisfy { !$0.wasKnown })
            let refused = await callers.call(
                "rhea", ReportServiceMethods.batchCreateReports, wanted)
            #expect(refused.code == .permissionDenied)
        }
    }
}

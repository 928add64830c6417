import GRPCTransport
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import Testing

@testable import ReportService

@Suite("CreateReport", .timeLimit(.minutes(5)))
struct CreateReportTests {
    private let request = ReportRequest.with {
        $0.caseID = UUID.testing(1).description
        $0.productID = "product-1"
    }

    @Test("hands the request to the pipeline as protobuf, and answers where it stands")
    func accepted() async throws {
        let port = ScriptedPort()
        let cases = FakeCases()
        cases.put(1, .pending)
        try await withReportServer(port: port, cases: cases) { client in
            let response = try await client.create(request)
            #expect(response.caseID == request.caseID)
            #expect(response.status?.state == .pending)
            #expect(
                response.status?.message == "Report is not done! Report status is Pending")
        }
        let record = port.submitted.entries[0]
        #expect(
            record.header("content-type").map(Array.init) == Array("application/x-protobuf".utf8))
        let read = try ReportRequest(serializedBytes: Array(record.payload))
        #expect(read.productID == "product-1")
    }

    @Test("of a known case answers with what is known")
    func repeated() async throws {
        let cases = FakeCases()
        cases.put(1, .succeeded, outcome: .testing(1))
        try await withReportServer(cases: cases) { client in
            let response = try await client.create(request)
            #expect(response.status?.state == .succeeded)
            #expect(response.status?.message == "Report is done")
        }
    }

    @Test("with an earlier deadline names the existing case, whose deadline stands")
    func laterRepeat() async throws {
        let cases = FakeCases()
        cases.put(1, .pending, deadline: Timestamp(microseconds: 86_400_000_000))
        try await withReportServer(cases: cases) { client in
            var request = request
            request.deadline = .with { $0.seconds = 3600 }
            let response = try await client.create(request)
            #expect(response.status?.deadline?.seconds == 86_400)
        }
    }

    @Test("is judged by the store's clock, an hour off this process's, with one look a minute")
    func storeTime() async throws {
        let store = PipelineClock.system.timestamp.advanced(by: .hours(-1))
        let (port, cases) = (ScriptedPort(), FakeCases())
        cases.expectSealing(at: nil, clock: store)
        var request = request
        request.deadline = .with { $0.seconds = store.microseconds / 1_000_000 + 60 }
        let asked = request
        try await withReportServer(port: port, cases: cases) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<50 { group.addTask { _ = try await client.create(asked) } }
                try await group.waitForAll()
            }
        }
        #expect(cases.scheduleLooks.count == 1)
        for record in port.submitted.entries {
            let distance = store.duration(to: record.timestamp)
            #expect(distance >= .zero && distance < .minutes(5))
        }
    }

    @Test("is judged by this process's clock while the store's can't be looked at")
    func unknownStoreTime() async throws {
        let (port, cases) = (ScriptedPort(), FakeCases())
        cases.failures.add(.retryable("store-unavailable", "away"))
        let now = PipelineClock.system.timestamp
        var request = request
        request.deadline = .with { $0.seconds = 7_258_118_400 }
        let asked = request
        try await withReportServer(port: port, cases: cases) { client in
            _ = try await client.create(asked)
        }
        #expect(port.submitted.entries.allSatisfy { $0.timestamp >= now })
    }

    @Test("is accepted although the look at its state fails: it is stored")
    func unreadableState() async throws {
        let cases = FakeCases()
        cases.failures.add(.retryable("store-unavailable", "away"))
        try await withReportServer(cases: cases) { client in
            let response = try await client.create(request)
            #expect(response.status?.state == .pending)
            #expect(response.status?.pollAfter != nil)
        }
    }

    @Test("without a request is INVALID_ARGUMENT, and reaches no pipeline")
    func missing() async throws {
        let port = ScriptedPort()
        try await withReportServer(port: port) { client in
            let status = await failure { () throws(GRPCStatusError) in
                try await client.create(nil)
            }
            #expect(status?.code == .invalidArgument)
            #expect(status?.message == "request is missing")
        }
        #expect(port.submitted.count == 0)
    }

    @Test("that is malformed is INVALID_ARGUMENT with every violation, for people and programs")
    func malformed() async throws {
        let port = ScriptedPort { record in
            .rejected(
                Rejection(
                    record, stage: "in", code: "invalid-argument", reason: "two fields",
                    violations: [
                        FieldViolation(field: "product_id", description: "is missing"),
                        FieldViolation(
                            field: "period.end_time", description: "is before the start"),
                    ]))
        }
        try await withReportServer(port: port) { client in
            let found = await failure { () throws(GRPCStatusError) in
                try await client.create(request)
            }
            let status = try #require(found)
            #expect(status.code == .invalidArgument)
            #expect(
                status.message == "product_id is missing; period.end_time is before the start")
            let details = try Google_Rpc_Status(serializedBytes: status.details)
            let packed = try #require(details.details.first)
            let bad = try Google_Rpc_BadRequest(serializedBytes: packed.value)
            #expect(bad.fieldViolations.map(\.field) == ["product_id", "period.end_time"])
            #expect(status.reason == "INVALID_ARGUMENT")
        }
    }

    @Test("of a known case with other parameters is ALREADY_EXISTS")
    func conflict() async throws {
        let port = ScriptedPort { record in
            .rejected(
                Rejection(record, stage: "batch", code: "conflict", reason: "known otherwise"))
        }
        try await withReportServer(port: port) { client in
            let status = await failure { () throws(GRPCStatusError) in
                try await client.create(request)
            }
            #expect(status?.code == .alreadyExists)
            #expect(status?.message == "known otherwise")
            #expect(status?.reason == "CONFLICT")
        }
    }

    @Test(
        "says whether trying again may help",
        arguments: [
            (PipelineError.retryable("overloaded", "too many"), GRPCStatusCode.unavailable),
            (.fenced("position-moved", "another worker"), .unavailable),
            (.permanent("odd", "never"), .internal), (.fatal("broken", "broken"), .internal),
        ])
    func errors(_ error: PipelineError, _ code: GRPCStatusCode) async throws {
        let port = ScriptedPort { _ in throw error }
        try await withReportServer(port: port) { client in
            let status = await failure { () throws(GRPCStatusError) in
                try await client.create(request)
            }
            #expect(status?.code == code)
            #expect(status?.message == error.message)
            #expect(status?.reason == error.code.name.uppercased().replacing("-", with: "_"))
        }
    }

    @Test("shows nothing of an error that nobody expected")
    func unexpected() async throws {
        struct Mishap: Error {}
        let port = ScriptedPort { _ in throw Mishap() }
        try await withReportServer(port: port) { client in
            let status = await failure { () throws(GRPCStatusError) in
                try await client.create(request)
            }
            #expect(status?.code == .internal)
            #expect(status?.message == "internal error")
        }
    }
}

import PipelineTesting
import ConversionReports
import PipelineCore
import Protobuf
import ReportMessages
import Testing

@Suite("Outcomes for the outside")
struct ReportOutcomeEncoderTests {
    let encoder = ReportOutcomeEncoder()

    static func outcome(_ state: CaseState, reason: String? = nil, report: Bytes? = nil) -> Outcome
    {
        Outcome(
            id: UUID("11111111-2222-4333-8444-555555555555")!, caseNumber: 3,
            caseID: UUID("0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f")!, batch: 12, state: state,
            reason: reason, report: report, dataAsOf: nil,
            writtenAt: Timestamp(microseconds: 5_000_000),
            deadline: Timestamp(microseconds: 1_796_083_200_000_000), parameters: [])
    }

    static func report(product: String = "product-1") throws -> Bytes {
        var report = Report()
        report.caseID = "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f"
        report.productID = product
        report.conversionRatio = 33.5
        report.paymentsCount = 2
        report.viewsCount = 67
        return try report.serializedBytes()[...]
    }

    @Test("an announcement is keyed by its case and named by its outcome")
    func announcement() throws {
        let outcome = Self.outcome(.succeeded, report: try Self.report())
        let record = try encoder.announcement(outcome)
        #expect(
            String(decoding: record.key!, as: UTF8.self) == "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f")
        #expect(
            String(decoding: record.payload, as: UTF8.self)
                == #"{"event_id":"11111111-2222-4333-8444-555555555555","#
                + #""case_id":"0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f","#
                + #""state":"REPORT_STATE_SUCCEEDED","batch_id":"12","#
                + #""report":{"case_id":"0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f","#
                + #""product_id":"product-1","conversion_ratio":33.5,"payments_count":"2","#
                + #""views_count":"67","generated_at":"1970-01-01T00:00:05Z"},"revision":1}"#)
        #expect(
            record.headers == [
                Header("content-type", "application/json"),
                Header("event_id", "11111111-2222-4333-8444-555555555555"),
            ])
    }

    @Test("the same outcome gives the same bytes")
    func stable() throws {
        for outcome in [
            Self.outcome(.succeeded, report: try Self.report()),
            Self.outcome(.failed, reason: "no-data: nothing is known"),
        ] {
            let first = try encoder.announcement(outcome)
            let second = try ReportOutcomeEncoder().announcement(outcome)
            #expect(first.payload == second.payload && first.headers == second.headers)
            #expect(try encoder.cached(outcome) == ReportOutcomeEncoder().cached(outcome))
        }
    }

    @Test(
        "a case without a report carries its reason",
        arguments: [
            (CaseState.failed, "invalid-parameters: the period is empty", "INVALID_PARAMETERS"),
            (.expired, "the deadline passed", "EXPIRED"), (.cancelled, "", "CANCELLED"),
            (.failed, "a sentence: with a colon", "FAILED"),
        ])
    func reasons(state: CaseState, reason: String, code: String) throws {
        let record = try encoder.announcement(Self.outcome(state, reason: reason))
        let ready = try ReportReady(jsonUTF8Bytes: record.payload)
        guard case .error(let error)? = ready.result else {
            Issue.record("no error")
            return
        }
        #expect(error.code == code)
        #expect(reason.hasSuffix(error.message))
        #expect(
            ready.state == ReportState(rawValue: state == .failed ? 5 : state == .cancelled ? 6 : 7)
        )
    }

    @Test(
        "a cached report is the reply that GetReport gives",
        arguments: ["p", String(repeating: "ü", count: 100)])
    func cachedReport(product: String) throws {
        let report = try Self.report(product: product)
        let bytes = try encoder.cached(Self.outcome(.succeeded, report: report))
        var reply = GetReportResponse()
        reply.caseID = "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f"
        var told = try Report(serializedBytes: report)
        told.generatedAt = .with { $0.seconds = 5 }
        reply.result = .report(told)
        reply.revision = 1
        #expect(Array(bytes) == (try reply.serializedBytes()))
    }

    @Test("a cached failure says its state, deadline, batch and reason")
    func cachedFailure() throws {
        let outcome = Self.outcome(.failed, reason: "no-data: nothing is known")
        let reply = try GetReportResponse(serializedBytes: encoder.cached(outcome))
        guard case .status(let status)? = reply.result else {
            Issue.record("no status")
            return
        }
        #expect(status.state == .failed)
        #expect(status.message == "Report is not done! Report status is Failed")
        #expect(status.batchID == "12")
        #expect(status.error?.code == "NO_DATA")
        #expect(status.error?.message == "nothing is known")
        #expect(status.deadline?.seconds == 1_796_083_200)
        #expect(status.pollAfter == nil)
    }

    @Test(
        "the revision is that of the outcome, in announcements and answers", arguments: [1, 2, 300])
    func revision(_ revision: Int) throws {
        for state in [CaseState.succeeded, .failed] {
            var outcome = Self.outcome(state, reason: "no-data: nothing", report: try Self.report())
            outcome.revision = revision
            let ready = try ReportReady(jsonUTF8Bytes: encoder.announcement(outcome).payload)
            #expect(ready.revision == revision)
            let reply = try GetReportResponse(serializedBytes: encoder.cached(outcome))
            #expect(reply.revision == revision)
        }
    }

    @Test("an answer is recognized as that of its case, a report apart from what may be overtaken")
    func recognized() throws {
        let id = UUID("0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f")!
        let report = try encoder.cached(Self.outcome(.succeeded, report: Self.report()))
        #expect(encoder.recognize(report, of: id) == .lasting(revision: 1))
        let failed = try encoder.cached(Self.outcome(.failed, reason: "no-data: nothing"))
        #expect(encoder.recognize(failed, of: id) == .passing)
        for bytes in [report, failed] {
            #expect(
                encoder.recognize(bytes, of: UUID("0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5e")!)
                    == .foreign)
        }
    }

    @Test("foreign bytes of any kind are recognized as such")
    func foreign() throws {
        let id = UUID("0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f")!
        let report = try encoder.cached(Self.outcome(.succeeded, report: Self.report()))
        // Whatever is left of an answer that was cut off: never the report.
        for length in 0..<report.count - 2 {
            #expect(encoder.recognize(report.prefix(length), of: id) == .foreign)
        }
        let random = RandomSource(seed: 7)
        for _ in 0..<5000 {
            var bytes = Array(report)
            for _ in 0...random.below(3) {
                bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.below(256))
            }
            guard case .lasting = encoder.recognize(bytes[...], of: id) else { continue }
            let answer = try GetReportResponse(serializedBytes: bytes)
            #expect(answer.caseID == id.description)
        }
        var other = Report()
        other.caseID = "0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5e"
        let mixed = try GetReportResponse.with {
            $0.caseID = id.description
            $0.result = .report(other)
        }.serializedBytes()
        for bytes in [
            mixed, Array("hello".utf8), Array(repeating: 0xFF, count: 100_000),
            Array(repeating: 0x0A, count: 100_000), Array(#"{"case_id":"x"}"#.utf8),
        ] {
            #expect(encoder.recognize(bytes[...], of: id) == .foreign)
        }
    }

    @Test("an outcome whose report is missing or garbled is an error, not an announcement")
    func unreadable() throws {
        for report in [nil, [0xFF, 0xFF] as Bytes] {
            let error = #expect(throws: PipelineError.self) {
                try encoder.announcement(Self.outcome(.succeeded, report: report))
            }
            #expect(error?.code == "unreadable-outcome")
        }
        #expect(throws: PipelineError.self) { try encoder.cached(Self.outcome(.succeeded)) }
    }
}

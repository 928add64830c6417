import ConfigurationDiagnostics
import ConfigurationFields
import DryRun
import DryRunRendering
import DryRunReport
import LocatedJSON
import Logging
import PipelineConfiguration
import PipelineCore
import PipelineTesting
import Testing

@Suite("The checklist of a dry run", .timeLimit(.minutes(1)))
struct ChecklistTests {
    private let shipped: String

    init() throws { shipped = try Rehearsal.text("conversion-reports.json") }

    private func entry(_ step: DryRunCheck.Step, _ report: DryRunReport) -> DryRunCheck? {
        report.checks.first { $0.step == step }
    }

    @Test("of a file with all in place")
    func allIsWell() async throws {
        var checklist = Checklist(variables: Checklist.servers)
        checklist.simulate = { definition, _, _ in
            var report = SimulationReport(
                pipeline: definition.name, file: definition.file,
                start: Timestamp(microseconds: 0), sla: definition.sla, traceLength: .hours(24))
            report.cases = [.zero, .seconds(1)]
            report.waits = [.milliseconds(1500), .seconds(43_201)]
            return report
        }
        let report = try await checklist.report(on: shipped)
        #expect(report.outcome(strict: true) == .passed)
        try GoldenText.expect(report.checklist(colour: false), toBe: "checklist-ok.txt")
        try GoldenText.expect(
            report.checklist(colour: true).replacing("\u{1B}", with: "ESC"),
            toBe: "checklist-ok.coloured.txt")
    }

    @Test("of backends that are wrong in every way, all told at once")
    func everythingWrong() async throws {
        var checklist = Checklist(variables: Checklist.servers)
        checklist.variables["PENSTOCK_GENERATOR"] = "grpc://127.0.0.1:9"
        checklist.backends = [
            "kafka": { needs in
                [ResourceFinding(.ok, "1 broker")]
                    + needs.map {
                        ResourceFinding($0.subject, .wrong, "not there", hint: "create it")
                    }
            },
            "postgres": { _ in
                throw PipelineError.retryable("store-unavailable", "PostgreSQL at db: no answer")
            },
            "redis": { _ in
                throw PipelineError.fatal("cache-login", "Redis at cache:6379: wrong password")
            },
        ]
        checklist.generator = { written, _ in
            [ResourceFinding("generator \(written)", .unreachable, "can't be reached")]
        }
        let report = try await checklist.report(on: shipped)
        #expect(report.outcome(strict: false) == .unreachable)
        try GoldenText.expect(report.checklist(colour: false), toBe: "checklist-wrong.txt")
        let json = report.json(exitCode: 69).written(.pretty) + "\n"
        try GoldenText.expect(json, toBe: "checklist-wrong.json")
        #expect(!json.contains("s3cret"))
    }

    @Test("of a file and an environment that are not in order")
    func notInOrder() async throws {
        var checklist = Checklist()
        checklist.variables["PENSTOCK_CACHE"] = "nowhere"
        let text = shipped.replacing("\"max_batch\"", with: "\"max_bach\"")
            .replacing(
                "\"PENSTOCK_BUS\",    \"default\": \"embedded:data/penstock.sqlite\"",
                with: "\"PENSTOCK_BUS\"")
        let report = try await checklist.report(on: text)
        #expect(report.outcome(strict: false) == .misconfigured)
        try GoldenText.expect(
            report.checklist(colour: false) + "\n" + report.diagnostics.rendered(as: .text),
            toBe: "checklist-not-in-order.txt")
        #expect(checklist.openings.entries.isEmpty)
    }

    @Test(
        "simulates a rule that may wait too long, so that it can be watched, and refuses it all the same"
    )
    func tooLong() async throws {
        for (age, code) in [("36h", "sla-exceeded"), ("", "unbounded-wait")] {
            let rule = age.isEmpty ? #"{ "count": 5 }"# : #"{ "max_age": "\#(age)" }"#
            let text = """
                { "version": 1, "name": "reports", "sla": "24h",
                  "resources": { "db": { "url": "embedded:no/such/file" } },
                  "stages": [
                    { "id": "in", "type": "ingest", "codec": "report-request",
                      "from": [ { "resource": "db", "topic": "requests", "create": {} } ] },
                    { "id": "batch", "type": "accumulate", "store": "db", "trigger": \(rule) },
                    { "id": "reports", "type": "generate", "generator": "conversion", "store": "db" },
                    { "id": "out", "type": "publish", "to": "db", "topic": "ready" } ] }
                """
            var checklist = Checklist()
            let simulated = Journal<String>()
            checklist.simulate = { definition, _, _ in
                simulated.note(definition.name)
                throw SimulationSkipped("never")
            }
            let report = try await checklist.report(on: text)
            #expect(simulated.entries == ["reports"])
            #expect(report.diagnostics.list.contains { $0.code.rawValue == code })
            #expect(entry(.static, report)?.status == .fail)
            #expect(report.outcome(strict: false) == .misconfigured)
        }
    }

    @Test("skips what the file's first problem hides", arguments: ["", "[]", "{ \"version\": 1"])
    func unreadable(_ text: String) async throws {
        let report = try await Checklist().report(on: text)
        #expect(report.checks.map(\.status) == [.fail, .skip, .skip, .skip])
        #expect(report.checks.map(\.step) == DryRunCheck.Step.allCases)
        #expect(report.outcome(strict: false) == .misconfigured)
    }

    @Test("of a file that can't be opened")
    func unopened() async throws {
        let run = DryRun(
            catalogue: Catalogue(), environment: .empty,
            context: ResourceContext(
                clock: .system, random: RandomSource(), logger: LogCapture().logger(),
                isRunning: false), isOffline: false, timeout: .seconds(1),
            options: SimulationOptions(
                arrivals: [], generation: .usual, start: Timestamp(microseconds: 0))
        ) { _, _, _ in throw SimulationSkipped("never") }
        let report = try await run.report(
            on: DryRun.Source(file: "nowhere.json") {
                throw Diagnostic(.unreadableFile, "can't be read: no such file")
            })
        #expect(entry(.static, report)?.detail == "nowhere.json can't be read: no such file")
        #expect(report.outcome(strict: false) == .misconfigured)
    }

    @Test("opens nothing offline, and says so")
    func offline() async throws {
        var checklist = Checklist(variables: Checklist.servers)
        checklist.isOffline = true
        let report = try await checklist.report(on: shipped)
        let connect = try #require(entry(.connect, report))
        #expect(connect.status == .skip)
        #expect(connect.detail == "not asked: --offline")
        #expect(checklist.openings.entries.isEmpty)
        #expect(report.outcome(strict: false) == .passed)
        #expect(report.outcome(strict: true) == .failed)
    }
}

@Suite("A dry run's outcome")
struct OutcomeTests {
    private func outcome(_ checks: [DryRunCheck], strict: Bool = false) -> DryRunReport.Outcome {
        var report = DryRunReport(file: "f")
        report.checks = checks
        return report.outcome(strict: strict)
    }

    private static let unreachable: DryRunCheck = {
        var check = DryRunCheck(.connect, "bus", .fail, "no answer")
        check.isUnreachable = true
        return check
    }()

    @Test("is good when nothing failed, and under --strict when nothing was skipped either")
    func skipped() {
        let checks = [
            DryRunCheck(.static, "", .ok, "fine"), DryRunCheck(.connect, "", .skip, "offline"),
        ]
        #expect(outcome(checks) == .passed)
        #expect(outcome(checks, strict: true) == .failed)
        #expect(outcome([checks[0]], strict: true) == .passed)
    }

    @Test("is a matter of the file and its environment, whatever else failed")
    func configuration() {
        for step in [DryRunCheck.Step.static, .environment] {
            let failed = DryRunCheck(step, "", .fail, "broken")
            #expect(outcome([failed]) == .misconfigured)
            #expect(outcome([failed, Self.unreachable]) == .misconfigured)
        }
    }

    @Test("tells a backend that does not answer from one that is not as it should be")
    func backends() {
        let wrong = DryRunCheck(.connect, "bus: topic t", .fail, "not there")
        #expect(outcome([wrong]) == .failed)
        #expect(outcome([wrong, Self.unreachable]) == .unreachable)
    }

    @Test("is bad for a promise that the simulation does not keep")
    func simulation() {
        #expect(outcome([DryRunCheck(.simulate, "", .fail, "late")]) == .failed)
    }
}

import CommandLineInterface
import DryRunReport
import Testing

@Suite("A dry run's exit code")
struct ExitCodeTests {
    private func code(_ checks: [DryRunCheck], strict: Bool = false) -> ExitCode {
        var report = DryRunReport(file: "f")
        report.checks = checks
        return report.exitCode(strict: strict)
    }

    private static let unreachable: DryRunCheck = {
        var check = DryRunCheck(.connect, "bus", .fail, "no answer")
        check.isUnreachable = true
        return check
    }()

    @Test("is 0 when nothing failed, and 1 under --strict when something was skipped")
    func skipped() {
        let checks = [
            DryRunCheck(.static, "", .ok, "fine"), DryRunCheck(.connect, "", .skip, "offline"),
        ]
        #expect(code(checks) == .success)
        #expect(code(checks, strict: true) == .failure)
        #expect(code([checks[0]], strict: true) == .success)
    }

    @Test("is 78 for the file and its environment, whatever else failed")
    func configuration() {
        for step in [DryRunCheck.Step.static, .environment] {
            let failed = DryRunCheck(step, "", .fail, "broken")
            #expect(code([failed]) == .configuration)
            #expect(code([failed, Self.unreachable]) == .configuration)
        }
    }

    @Test("is 69 for a backend that does not answer, 1 for one that is not as it should be")
    func backends() {
        let wrong = DryRunCheck(.connect, "bus: topic t", .fail, "not there")
        #expect(code([wrong]) == .failure)
        #expect(code([wrong, Self.unreachable]) == .unavailable)
    }

    @Test("is 1 for a promise that the simulation does not keep")
    func simulation() {
        #expect(code([DryRunCheck(.simulate, "", .fail, "late")]) == .failure)
    }
}

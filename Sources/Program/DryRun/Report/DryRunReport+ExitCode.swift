public import Specification

extension DryRunReport {
    /// How the command ends: 78 when the file or its environment is not in order, 69 when a backend can't be reached,
    /// 1 when another check failed.
    ///
    /// - Parameter strict: whether a step that was skipped counts as failed.
    public func exitCode(strict: Bool) -> ExitCode {
        let failed = checks.filter { $0.status == .fail }
        if failed.contains(where: { $0.step == .static || $0.step == .environment }) {
            return .configuration
        }
        if failed.contains(where: \.isUnreachable) { return .unavailable }
        if !failed.isEmpty { return .failure }
        return strict && checks.contains { $0.status == .skip } ? .failure : .success
    }
}

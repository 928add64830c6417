internal import Concurrency
internal import ConfigurationDiagnostics
internal import DryRunReport
internal import PipelineCore

/// Something to look at, once.
struct Inspection: Sendable {
    enum Target: Sendable {
        case resource(ResourceAddress)
        case generator(String, @Sendable (String, Duration) async -> [ResourceFinding])
    }
    var target: Target
    /// What the file calls it.
    var names: [ResourceName]
    var needs: [ResourceNeed] = []

    var subject: String { names.map(\.text).joined(separator: ", ") }

    var address: ResourceAddress? {
        if case .resource(let address) = target { address } else { nil }
    }

    /// Without credentials.
    var place: String {
        switch target {
        case .resource(let address): address.description
        case .generator(let written, _): Redaction.withoutCredentials(written)
        }
    }

    /// The whole can't be used: what was needed of it was not looked at.
    func failed(_ finding: ResourceFinding) -> [ResourceFinding] {
        let reason =
            finding.verdict == .unreachable
            ? "\(subject) can't be reached" : "\(subject) can't be used"
        // Reading is all that can be done with some: nothing of its own to be told about.
        return [finding]
            + needs.filter { $0 != .reading }.map {
                ResourceFinding($0.subject, .unknown, "not looked at: \(reason)")
            }
    }
}

extension ResourceFinding {
    /// - Parameter name: what the file calls the resource; stands for it where the finding is about
    ///   the whole.
    func check(of name: String) -> DryRunCheck {
        let status: DryRunCheck.Status =
            switch verdict {
            case .ok: .ok
            case .wrong, .unreachable: .fail
            case .unknown: .skip
            }
        var check = DryRunCheck(
            .connect, subject.isEmpty ? name : "\(name): \(subject)", status, detail, hint: hint)
        check.isUnreachable = verdict == .unreachable
        return check
    }
}

/// What `body` returns, or `nil` when that takes longer; it is cancelled then, and its end not
/// waited for: a name server's answer, or a C library's call, may not end when it is told to.
func within<Value: Sendable>(
    _ timeout: Duration, clock: PipelineClock, _ body: @escaping @Sendable () async -> Value
) async -> Value? {
    await abandoned(after: { try await clock.sleep(for: timeout) }, body)
}

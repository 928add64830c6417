/// What looking at a resource found, without changing anything.
public struct ResourceFinding: Sendable, Hashable {
    public enum Verdict: Sendable, Hashable {
        case ok
        /// `run` would fail, or wait for ever.
        case wrong
        /// Nobody answers.
        case unreachable
        /// It could not be looked at.
        case unknown
    }
    /// What was looked at, see ``ResourceNeed/subject``; empty for the resource itself.
    public var subject: String
    public var verdict: Verdict
    /// What was found, in a sentence without a full stop. Never a secret.
    public var detail: String
    /// What to do about it.
    public var hint: String?

    public init(
        _ subject: String, _ verdict: Verdict, _ detail: String, hint: String? = nil
    ) {
        self.subject = subject
        self.verdict = verdict
        self.detail = detail
        self.hint = hint
    }

    /// A finding about the resource itself.
    public init(_ verdict: Verdict, _ detail: String, hint: String? = nil) {
        self.init("", verdict, detail, hint: hint)
    }

    /// A failed look: what may pass is taken for unreachable, everything else for wrong.
    public init(_ subject: String = "", failure error: any Error) {
        let error = error as? PipelineError
        self.init(
            subject, error?.disposition == .retryable ? .unreachable : .wrong,
            error?.message ?? "it could not be looked at")
    }
}

extension Resource {
    /// Tells by ``probe()`` whether the resource can be used, and nothing about single needs.
    public func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        try await probe()
        return [ResourceFinding(.ok, "it answers")]
    }
}

/// A bus that can say whether stored positions are of the topic that is there now. Changes nothing.
public protocol LogInspection: Resource {
    /// What speaks against it; `nil` when nothing does, or the topic is not there.
    ///
    /// - Parameter stored: asks a store for the positions of a log.
    func contradiction(
        in topic: String, timeout: Duration,
        to stored: @Sendable (LogName) async throws -> StoredPositions?
    ) async throws -> LogContradiction?
}

/// A store that can say what positions it has. Changes nothing.
public protocol PositionInspection: Resource {
    /// Where a pipeline goes on in a log; `nil` without any positions, or without tables of this version.
    func storedPositions(
        of log: LogName, pipeline: String, timeout: Duration
    ) async throws -> StoredPositions?
}

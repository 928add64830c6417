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
    public var backend: Backend? { nil }

    /// Tells by ``probe()`` whether the resource can be used, and nothing about single needs.
    public func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        try await probe()
        return [ResourceFinding(.ok, "it answers")]
    }
}

/// A bus that can say which log a topic is, and whether stored positions are of it.
/// Changes nothing.
public protocol LogInspection: Resource {
    /// What positions in a topic are kept under; `nil` where that can't be told. The topic need not
    /// be there.
    func logName(of topic: String, timeout: Duration) async throws -> LogName?
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
    /// Where a pipeline goes on in a log; `nil` without any positions, or without tables of this
    /// version.
    func storedPositions(
        of log: LogName, pipeline: String, timeout: Duration
    ) async throws -> StoredPositions?
    /// The stages that have stored what they have read of a log, row by row.
    func storers(of log: LogName, timeout: Duration) async throws -> [StateName]
}

extension PositionInspection {
    public func storers(of log: LogName, timeout: Duration) async throws -> [StateName] { [] }
}

/// What a stage is going to do with a resource, for whoever looks beforehand whether it can.
public enum ResourceNeed: Sendable, Hashable {
    /// Reads a topic or writes to it.
    case topic(TopicNeed)
    /// Keeps the ledger of a stage.
    case ledger(LedgerNeed)
    /// Is read by the generator of that name.
    case generation(String)
    /// Reads records without a topic: lines, or callers' requests.
    case reading
    /// Writes records without a topic: lines, or rows.
    case writing

    /// What findings about it are headed by: `topic report-requests`.
    public var subject: String {
        switch self {
        case .topic(let need): "topic \(need.name)"
        case .ledger(let need): "ledger of \(need.stage)"
        case .generation(let name): "generator \(name)"
        case .reading: "reading"
        case .writing: "writing"
        }
    }
}

/// A topic that a pipeline reads or writes.
public struct TopicNeed: Sendable, Hashable {
    public enum Direction: Sendable { case reads, writes }
    /// What becomes of a topic that is not there.
    public enum Creation: Sendable, Hashable {
        /// The pipeline waits for it, or fails.
        case never
        /// When the pipeline starts; `nil`: with as many partitions as the bus gives by default.
        case atStart(partitions: Int?)
        /// With the first message that is written to it.
        case atFirstMessage(partitions: Int?)
    }
    public var name: String
    public var direction: Direction
    public var creation: Creation
    public init(_ name: String, _ direction: Direction, creation: Creation) {
        self.name = name
        self.direction = direction
        self.creation = creation
    }
}

/// The ledger of a stage, and the rule by which it is going to be sealed.
public struct LedgerNeed: Sendable, Hashable {
    public var pipeline: String
    public var stage: String
    /// The rule as a ledger stores it.
    public var ruleText: String
    /// `nil`: one more than what is stored if that is another rule.
    public var revision: Int64?
    /// Whether the stage has to be in the ledger already: for whoever works beside a `run`.
    public var mustExist = false
    /// The stages of the files at hand, this one among them; empty where that plays no part.
    public var owners: [StateOwner] = []
    public init(pipeline: String, stage: String, ruleText: String, revision: Int64?) {
        self.pipeline = pipeline
        self.stage = stage
        self.ruleText = ruleText
        self.revision = revision
    }
}

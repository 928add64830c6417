/// An outcome that a sink refuses for good; the others of its batch go on.
public struct OutcomeRefusal: Sendable, Hashable {
    public var caseNumber: Int64
    /// A stable, kebab-case name: `record-too-large`.
    public var code: String
    /// One sentence for a person.
    public var reason: String
    public init(_ outcome: Outcome, _ error: PipelineError) {
        self.init(caseNumber: outcome.caseNumber, code: error.code, reason: error.message)
    }
    public init(caseNumber: Int64, code: String, reason: String) {
        self.caseNumber = caseNumber
        self.code = code
        self.reason = reason
    }
}

/// An outcome that a sink has refused: it stays until it is delivered after all, or dropped.
public struct ParkedOutcome: Sendable, Hashable {
    public var batch: Int64
    public var sink: String
    public var caseID: UUID
    /// The outcome's id, and its announcement's event id.
    public var outcomeID: UUID
    public var code: String
    public var reason: String
    /// How often the sink has refused it.
    public var attempts: Int
    public var parkedAt: Timestamp
    /// Whether it is on its way to the sink again.
    public var isDue: Bool
    public init(
        batch: Int64, sink: String, caseID: UUID, outcomeID: UUID, code: String, reason: String,
        attempts: Int, parkedAt: Timestamp, isDue: Bool
    ) {
        self.batch = batch
        self.sink = sink
        self.caseID = caseID
        self.outcomeID = outcomeID
        self.code = code
        self.reason = reason
        self.attempts = attempts
        self.parkedAt = parkedAt
        self.isDue = isDue
    }
}

/// Which parked outcomes are meant: those that meet every condition that is set.
public struct ParkedSelection: Sendable, Hashable {
    public var sink: String?
    public var code: String?
    public var cases: [UUID]?
    public init(sink: String? = nil, code: String? = nil, cases: [UUID]? = nil) {
        self.sink = sink
        self.code = code
        self.cases = cases
    }
    /// All of them.
    public static let all = ParkedSelection()
}

/// The outcomes of one barrier that sinks have refused for good.
public protocol ParkedOutcomes: Sendable {
    /// Those that were parked first come first.
    func parked(_ selection: ParkedSelection, limit: Int) async throws -> [ParkedOutcome]
    /// How many are parked for each sink that has any.
    func parkedCounts() async throws -> [String: Int]
    /// Has them delivered again, with the same ids and the same bytes; also tries at once what waits for its next
    /// try. Answers how many were parked and are due now.
    func replayParked(_ selection: ParkedSelection) async throws -> Int
    /// Gives them up: they are never delivered to that sink. Answers how many.
    func dropParked(_ selection: ParkedSelection) async throws -> Int
}

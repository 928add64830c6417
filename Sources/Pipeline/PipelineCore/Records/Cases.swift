/// What a generator answers for one case.
public enum CaseResult: Sendable {
    /// The encoded report.
    case report(Bytes)
    /// Why there is none: a code and a sentence.
    case failure(code: ErrorCode, reason: String)
}

/// What one generation run produced, and what it cost.
public struct GeneratedBatch: Sendable {
    /// One for each of the batch's cases, in their order.
    public var results: [CaseResult]
    /// The state of the data that every report of the batch was made from.
    public var dataAsOf: Timestamp
    /// Rows that the run read, where the store can tell.
    public var rowsRead: Int64?
    public init(results: [CaseResult], dataAsOf: Timestamp, rowsRead: Int64? = nil) {
        self.results = results
        self.dataAsOf = dataAsOf
        self.rowsRead = rowsRead
    }
}

/// The immutable result of a case: a report or a reason. Written once, before anything is
/// announced.
public struct Outcome: Sendable, Hashable {
    /// Stable name of the outcome; the announcement's event id.
    public var id: UUID
    public var caseNumber: Int64
    public var caseID: UUID
    /// Counts the case's outcomes from 1: a case that did not succeed and is requested again, or
    /// whose batch is replayed, has a later one.
    public var revision: Int
    public var batch: Int64
    /// `succeeded`, `failed`, `cancelled` or `expired`.
    public var state: CaseState
    /// `code: sentence` for a case without a report.
    public var reason: String?
    /// The encoded report of a case that succeeded.
    public var report: Bytes?
    public var dataAsOf: Timestamp?
    public var writtenAt: Timestamp
    public var deadline: Timestamp
    /// The request's canonical encoding.
    public var parameters: Bytes
    /// The request's.
    public var trace: TraceContext?
    /// Who asked first; `nil` where the request did not say.
    public var requester: String?

    public init(
        id: UUID, caseNumber: Int64, caseID: UUID, revision: Int = 1, batch: Int64,
        state: CaseState, reason: String?, report: Bytes?, dataAsOf: Timestamp?,
        writtenAt: Timestamp, deadline: Timestamp, parameters: Bytes,
        trace: TraceContext? = nil, requester: String? = nil
    ) {
        self.id = id
        self.caseNumber = caseNumber
        self.caseID = caseID
        self.revision = revision
        self.batch = batch
        self.state = state
        self.reason = reason
        self.report = report
        self.dataAsOf = dataAsOf
        self.writtenAt = writtenAt
        self.deadline = deadline
        self.parameters = parameters
        self.trace = trace
        self.requester = requester
    }
}

extension Outcome {
    /// How long a copy may answer for the case. Once it is deleted its id may name another request,
    /// and whoever asks for that must not be told of this one.
    ///
    /// - Parameters:
    ///   - wanted: the longest.
    ///   - retention: how long the ledger keeps answered cases; `nil` for ever.
    /// - Returns: zero or less when that is over.
    public func timeToLive(
        _ wanted: Duration, retention: Duration?, at now: Timestamp
    ) -> Duration {
        guard let retention else { return wanted }
        return min(wanted, now.duration(to: writtenAt.advanced(by: retention)))
    }
}

/// A committed batch on its way to one sink.
public struct OutcomeBatch: Sendable {
    public var number: Int64
    /// The fencing token of this delivery.
    public var token: Int64
    /// How often it has been claimed, this time included.
    public var attempts: Int
    /// The batch's; of a delivery that is repeated for parked ones, those.
    public var outcomes: [Outcome]
    public init(number: Int64, token: Int64, attempts: Int = 1, outcomes: [Outcome]) {
        self.number = number
        self.token = token
        self.attempts = attempts
        self.outcomes = outcomes
    }
}

/// What a reader learns about one case.
public struct CaseSnapshot: Sendable {
    public var id: UUID
    /// That of the outcome that the case has or is going to have: while it is replayed, one more
    /// than that of ``outcome``.
    public var revision: Int
    public var state: CaseState
    public var acceptedAt: Timestamp
    public var deadline: Timestamp
    /// Who asked first; `nil` where the request did not say.
    public var requester: String?
    /// Set once the state is final.
    public var outcome: Outcome?
    public init(
        id: UUID, revision: Int = 1, state: CaseState, acceptedAt: Timestamp, deadline: Timestamp,
        requester: String? = nil, outcome: Outcome?
    ) {
        self.id = id
        self.revision = revision
        self.state = state
        self.acceptedAt = acceptedAt
        self.deadline = deadline
        self.requester = requester
        self.outcome = outcome
    }
}

extension Outcome {
    /// The outcome of a case that a generator has answered.
    public init(
        id: UUID, item: Case, batch: Int64, result: CaseResult, dataAsOf: Timestamp,
        writtenAt: Timestamp
    ) {
        self.init(
            id: id, caseNumber: item.number, caseID: item.id, batch: batch, state: .failed,
            reason: nil, report: nil, dataAsOf: dataAsOf, writtenAt: writtenAt,
            deadline: item.deadline, parameters: item.parameters, trace: item.trace)
        switch result {
        case .report(let bytes):
            state = .succeeded
            report = bytes
        case .failure(let code, let sentence):
            reason = "\(code): \(sentence)"
        }
    }
}

/// An outcome that a sink refuses for good; the others of its batch go on.
public struct OutcomeRefusal: Sendable, Hashable {
    public var caseNumber: Int64
    public var code: ErrorCode
    /// One sentence for a person.
    public var reason: String
    public init(_ outcome: Outcome, _ error: PipelineError) {
        self.init(caseNumber: outcome.caseNumber, code: error.code, reason: error.message)
    }
    public init(caseNumber: Int64, code: ErrorCode, reason: String) {
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
    /// Of the case's outcome, from 1: with the sink and the case it tells parked outcomes apart.
    public var revision: Int
    /// The case's number in the ledger.
    public var number: Int64
    public var code: ErrorCode
    public var reason: String
    /// How often the sink has refused it.
    public var attempts: Int
    public var parkedAt: Timestamp
    /// Whether it is on its way to the sink again.
    public var isDue: Bool
    public init(
        batch: Int64, sink: String, caseID: UUID, outcomeID: UUID, revision: Int = 1,
        number: Int64 = 0, code: ErrorCode, reason: String, attempts: Int, parkedAt: Timestamp,
        isDue: Bool
    ) {
        self.batch = batch
        self.sink = sink
        self.caseID = caseID
        self.outcomeID = outcomeID
        self.revision = revision
        self.number = number
        self.code = code
        self.reason = reason
        self.attempts = attempts
        self.parkedAt = parkedAt
        self.isDue = isDue
    }
}

/// Where a parked outcome stands among the others.
public struct ParkedPlace: Sendable, Hashable {
    public var parkedAt: Timestamp
    public var batch: Int64
    public var number: Int64
    public var sink: String
    public init(parkedAt: Timestamp, batch: Int64, number: Int64, sink: String) {
        self.parkedAt = parkedAt
        self.batch = batch
        self.number = number
        self.sink = sink
    }
}

extension ParkedOutcome {
    public var place: ParkedPlace {
        ParkedPlace(parkedAt: parkedAt, batch: batch, number: number, sink: sink)
    }
}

/// Which parked outcomes are meant: those that meet every condition that is set.
public struct ParkedSelection: Sendable, Hashable {
    public var sink: String?
    public var code: String?
    public var cases: [UUID]?
    /// The revision of their outcomes.
    public var revision: Int?
    /// When they were parked: from the first time on, and before the second.
    public var parkedFrom: Timestamp?
    public var parkedBefore: Timestamp?
    /// They come behind this one in a list: for going through them in steps. Nothing is replayed
    /// or dropped by it.
    public var after: ParkedPlace?
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
    /// Has them delivered again, with the same ids and the same bytes; also tries at once what
    /// waits for its next try. Answers how many were parked and are due now.
    func replayParked(_ selection: ParkedSelection) async throws -> Int
    /// Gives them up: they are never delivered to that sink. Answers how many.
    func dropParked(_ selection: ParkedSelection) async throws -> Int
}

/// One report request as the ledger holds it.
public struct Case: Sendable, Hashable {
    /// The ledger's own number; ascending in order of acceptance.
    public var number: Int64
    public var id: UUID
    /// `nil` where nobody has said it.
    public var acceptedAt: Timestamp?
    public var deadline: Timestamp
    /// The request's canonical encoding, as its codec wrote it.
    public var parameters: Bytes
    /// The request's.
    public var trace: TraceContext?
    public init(
        number: Int64, id: UUID, acceptedAt: Timestamp? = nil, deadline: Timestamp,
        parameters: Bytes, trace: TraceContext? = nil
    ) {
        self.number = number
        self.id = id
        self.acceptedAt = acceptedAt
        self.deadline = deadline
        self.parameters = parameters
        self.trace = trace
    }
}

/// A sealed, immutable set of cases, claimed under a lease.
public struct Batch: Sendable {
    public var number: Int64
    /// The fencing token of this claim: a commit under an older one is refused.
    public var token: Int64
    /// How often the batch has been claimed, this time included.
    public var attempts: Int
    /// The trigger that sealed it: `count`, `max_age`, `deadline_margin`, `manual`…
    public var closedBy: String
    public var sealedAt: Timestamp
    /// Earliest deadline first.
    public var cases: [Case]
    public init(
        number: Int64, token: Int64, attempts: Int, closedBy: String, sealedAt: Timestamp,
        cases: [Case]
    ) {
        self.number = number
        self.token = token
        self.attempts = attempts
        self.closedBy = closedBy
        self.sealedAt = sealedAt
        self.cases = cases
    }
}

/// Where a case stands.
public enum CaseState: String, Sendable, CaseIterable {
    case pending, sealed, running, succeeded, failed, cancelled, expired

    /// No later state follows, short of a new request for a failed case.
    public var isFinal: Bool {
        switch self {
        case .pending, .sealed, .running: false
        case .succeeded, .failed, .cancelled, .expired: true
        }
    }

    /// No later state follows, whatever is requested: only such outcomes may be answered from a
    /// cache. One that did not succeed is opened again by a repeat of its request, perhaps in
    /// another process. A replay, which is an operator's, puts another outcome in the place of any.
    public var isLasting: Bool { self == .succeeded }
}

/// One report request as the ledger holds it.
public struct Case: Sendable, Hashable {
    /// The ledger's own number; ascending in order of acceptance.
    public var number: Int64
    public var id: UUID
    public var deadline: Timestamp
    /// The request's canonical encoding, as its codec wrote it.
    public var parameters: Bytes
    public init(number: Int64, id: UUID, deadline: Timestamp, parameters: Bytes) {
        self.number = number
        self.id = id
        self.deadline = deadline
        self.parameters = parameters
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

    /// No later state follows, whatever is requested: only such outcomes may be answered from a cache. One that did
    /// not succeed is opened again by a repeat of its request, perhaps in another process.
    public var isLasting: Bool { self == .succeeded }
}

public import PipelineCore

/// A chunk as a ledger takes it in: columns of equal length, a row a case.
public struct Submissions: Sendable {
    public var ids: [UUID]
    public var digests: [Digest]
    /// `nil`: the stage's SLA from now.
    public var deadlines: [Timestamp?]
    public var parameters: [Bytes]
    public var advances: [PositionAdvance]

    public init(advances: [PositionAdvance] = []) {
        ids = []
        digests = []
        deadlines = []
        parameters = []
        self.advances = advances
    }

    public mutating func reserveCapacity(_ count: Int) {
        ids.reserveCapacity(count)
        digests.reserveCapacity(count)
        deadlines.reserveCapacity(count)
        parameters.reserveCapacity(count)
    }

    public mutating func append(
        id: UUID, digest: Digest, deadline: Timestamp?, parameters: Bytes
    ) {
        ids.append(id)
        digests.append(digest)
        deadlines.append(deadline)
        self.parameters.append(parameters)
    }

    public var count: Int { ids.count }
}

/// What became of a chunk.
public enum Acceptance: Sendable, Hashable {
    /// Committed, positions included.
    case accepted(AcceptedCounts)
    /// Nothing was written: the cases at these indices are known with other parameters. Take them out and try again.
    case conflicts([Int])
}

public struct AcceptedCounts: Sendable, Hashable {
    public var new: Int
    public var reopened: Int
    public var repeated: Int
    public init(new: Int, reopened: Int, repeated: Int) {
        self.new = new
        self.reopened = reopened
        self.repeated = repeated
    }
}

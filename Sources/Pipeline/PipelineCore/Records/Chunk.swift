/// A bounded array of records that settle together; stages work on chunks, never on one record per `await`.
///
/// A chunk may lose all its records on its way (repeats, rejections) and still has to reach the stage that
/// settles it, since its positions advance with it.
public struct Chunk: Sendable {
    public var records: [Record]
    /// How far the chunk moves its inputs' positions; empty for inputs without positions.
    public var advances: [PositionAdvance]
    /// The obligation to settle the chunk exactly once.
    public let acknowledgement: Acknowledgement

    public init(
        records: [Record], advances: [PositionAdvance] = [], acknowledgement: Acknowledgement
    ) {
        self.records = records
        self.advances = advances
        self.acknowledgement = acknowledgement
    }
}

extension [Record] {
    /// Finds the records that a store refuses for themselves: by halves, until each stands alone.
    ///
    /// - Parameters:
    ///   - whole: why all of them together were refused.
    ///   - attempt: hands in a part; throws `permanent` when something in it is refused.
    /// - Returns: those that were refused alone, with the reason, in order.
    /// - Throws: what `attempt` throws that is not `permanent`.
    public func refused(
        as whole: PipelineError, by attempt: (ArraySlice<Record>) async throws -> Void
    ) async throws -> [(record: Record, error: PipelineError)] {
        var found: [(record: Record, error: PipelineError)] = []
        var open: [(part: ArraySlice<Record>, refusal: PipelineError)] = [(self[...], whole)]
        while let (part, refusal) = open.popLast() {
            guard part.count > 1 else {
                found += part.map { ($0, refusal) }
                continue
            }
            let middle = part.startIndex + part.count / 2
            // The later half waits: what is found stays in order.
            for half in [part[middle...], part[..<middle]] {
                do {
                    try await attempt(half)
                } catch let error as PipelineError where error.disposition == .permanent {
                    open.append((half, error))
                }
            }
        }
        return found
    }

    /// Whether a store has refused all of several records for one reason: then it is more likely the store than they.
    public func areRefusedAlike(_ refused: [(record: Record, error: PipelineError)]) -> Bool {
        count > 1 && refused.count == count && Set(refused.map(\.error.code)).count == 1
    }
}

/// A conditional step of a stored position: from `expected` to `next`, or not at all.
public struct PositionAdvance: Sendable, Hashable {
    /// The log that the position belongs to, as ``StoredPositions/source`` names it.
    public var source: String
    public var partition: Int32
    /// What the store must hold for the step to be allowed; anything else means that another process has taken over.
    public var expected: Int64
    /// The offset to read next, once the chunk has settled.
    public var next: Int64
    public init(source: String, partition: Int32, expected: Int64, next: Int64) {
        self.source = source
        self.partition = partition
        self.expected = expected
        self.next = next
    }
}

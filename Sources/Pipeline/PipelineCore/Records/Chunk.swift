/// A bounded array of records of one delivery; stages work on chunks, never on one record per `await`.
///
/// A chunk may lose all its records on its way (repeats, rejections) and still has to reach the stage that
/// settles it, since its positions advance with it.
public struct Chunk: Sendable {
    public var records: [Record]
    /// How far the chunk moves its inputs' positions; empty for inputs without positions.
    public var advances: [PositionAdvance]
    /// The obligation to settle the chunk exactly once.
    public let delivery: Delivery

    public init(records: [Record], advances: [PositionAdvance] = [], delivery: Delivery) {
        self.records = records
        self.advances = advances
        self.delivery = delivery
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

/// One message in flight.
///
/// `key`, `payload` and `headers` are what arrived and stay untouched, so that a dead letter can
/// carry the original. A codec fills in ``body``, ``id``, ``digest`` and ``deadline``; stages read
/// those.
public struct Record: Sendable {
    /// The message's key as it arrived; `nil` where there was none.
    public var key: Bytes?
    /// The message's payload as it arrived; empty for a tombstone.
    public var payload: Bytes
    /// The message has no payload at all, which is not the same as an empty one.
    public var isTombstone: Bool
    /// The message's headers as they arrived, in order; names may repeat.
    public var headers: [Header]
    /// When the message was produced, by its producer or its broker; ``Timestamp/epoch`` where
    /// nobody says.
    public var timestamp: Timestamp
    /// Where the message was read.
    public var origin: Origin
    /// The record's index in what was read with it: stable while stages drop its neighbours.
    public var ordinal: Int

    /// The canonical form of the payload, as the codec encodes it; the payload itself without a
    /// codec.
    public var body: Bytes
    /// The case or event that the record speaks of, once a codec has read it.
    public var id: UUID?
    /// Identifies the content: equal content has equal digests. Set by a codec.
    public var digest: Digest?
    /// When the answer is wanted at the latest, where the request says so.
    public var deadline: Timestamp?
    /// Who asks, where the request says so.
    public var requester: String?

    public init(
        key: Bytes? = nil, payload: Bytes, isTombstone: Bool = false, headers: [Header] = [],
        timestamp: Timestamp, origin: Origin, ordinal: Int = 0
    ) {
        self.key = key
        self.payload = payload
        self.isTombstone = isTombstone
        self.headers = headers
        self.timestamp = timestamp
        self.origin = origin
        self.ordinal = ordinal
        self.body = payload
    }

    /// The value of the first header of that name, compared byte by byte.
    public func header(_ name: String) -> Bytes? {
        headers.first { $0.name == name }?.value
    }
}

/// A message header: a name and bytes, or a name alone.
public struct Header: Sendable, Hashable {
    public var name: String
    /// `nil` is not the same as no bytes.
    public var value: Bytes?
    public init(name: String, value: Bytes?) {
        self.name = name
        self.value = value
    }
    public init(_ name: String, _ text: String) {
        self.init(name: name, value: Array(text.utf8)[...])
    }
}

/// Where a record was read: a topic's partition and offset, a file's bytes, a call.
public struct Origin: Sendable, Hashable, CustomStringConvertible {
    /// The topic, the file's path, `stdin`, or the address of the API.
    public var source: String
    public var partition: Int32
    /// Offset in the partition; for files that of the line's first byte, from 0.
    public var offset: Int64
    public init(source: String, partition: Int32 = 0, offset: Int64) {
        self.source = source
        self.partition = partition
        self.offset = offset
    }
    public var description: String { "\(source)[\(partition)]@\(offset)" }
}

/// A view of bytes that shares its storage with its neighbours.
///
/// A source copies what it fetched into one array a chunk and hands out slices of it, so that a
/// record costs no allocation of its own.
public typealias Bytes = ArraySlice<UInt8>

/// A bounded array of records that settle together; stages work on chunks, never on one record per
/// `await`.
///
/// A chunk may lose all its records on its way (repeats, rejections) and still has to reach the
/// stage that settles it, since its positions advance with it.
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

    /// Whether a store has refused all of several records for one reason: then it is more likely
    /// the store than they.
    public func areRefusedAlike(_ refused: [(record: Record, error: PipelineError)]) -> Bool {
        count > 1 && refused.count == count && Set(refused.map(\.error.code)).count == 1
    }
}

/// A conditional step of a stored position: from `expected` to `next`, or not at all.
public struct PositionAdvance: Sendable, Hashable {
    /// The log that the position belongs to, as ``StoredPositions/source`` names it.
    public var source: String
    public var partition: Int32
    /// What the store must hold for the step to be allowed; anything else means that another
    /// process has taken over.
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

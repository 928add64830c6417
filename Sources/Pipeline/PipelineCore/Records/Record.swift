/// One message in flight.
///
/// `key`, `payload` and `headers` are what arrived and stay untouched, so that a dead letter can carry the
/// original. A codec fills in ``body``, ``id``, ``digest`` and ``deadline``; stages read those.
public struct Record: Sendable {
    /// The message's key as it arrived; `nil` where there was none.
    public var key: Bytes?
    /// The message's payload as it arrived; empty for a tombstone.
    public var payload: Bytes
    /// The message has no payload at all, which is not the same as an empty one.
    public var isTombstone: Bool
    /// The message's headers as they arrived, in order; names may repeat.
    public var headers: [Header]
    /// When the message was produced, by its producer or its broker; ``Timestamp/epoch`` where nobody says.
    public var timestamp: Timestamp
    /// Where the message was read.
    public var origin: Origin
    /// The record's index in what was read with it: stable while stages drop its neighbours.
    public var ordinal: Int

    /// The canonical form of the payload, as the codec encodes it; the payload itself without a codec.
    public var body: Bytes
    /// The case or event that the record speaks of, once a codec has read it.
    public var id: UUID?
    /// Identifies the content: equal content has equal digests. Set by a codec.
    public var digest: Digest?
    /// When the answer is wanted at the latest, where the request says so.
    public var deadline: Timestamp?

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

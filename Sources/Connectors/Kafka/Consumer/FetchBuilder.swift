internal import CRdKafka
internal import PipelineCore

/// Gathers messages into a fetch: one array of bytes for all of them, records that are slices of
/// it.
struct FetchBuilder: ~Copyable {
    private struct Entry {
        let index: Int
        let partition: Int32
        let offset: Int64
    }
    /// The first and the last record of a partition, as its log holds them.
    struct Ends {
        var partition: Int32
        var first: LogWitness
        var last: LogWitness
    }
    private let topic: String
    private let source: String
    private var entries: [Entry] = []
    private var advances: [PositionAdvance] = []
    private var byteCount = 0
    /// Payload bytes so far.
    private(set) var payloadBytes = 0

    init(topic: String, source: String, capacity: Int) {
        self.topic = topic
        self.source = source
        entries.reserveCapacity(capacity)
    }

    var count: Int { entries.count }

    /// Takes a message of the buffer in.
    /// - Parameter expected: what its partition's advance expects if this is the fetch's first
    ///   record of it.
    mutating func add(_ index: Int, of buffer: borrowing MessageBuffer, expected: Int64) {
        let (message, headerBytes) = unsafe buffer.withPointer(at: index) {
            unsafe ($0.pointee, MessageHeaders.byteCount(of: $0))
        }
        let partition = unsafe message.partition
        let offset = unsafe message.offset
        entries.append(Entry(index: index, partition: partition, offset: offset))
        byteCount += unsafe message.key_len + message.len + headerBytes
        payloadBytes += unsafe message.len
        if let at = advances.lastIndex(where: { $0.partition == partition }) {
            advances[at].next = offset + 1
        } else {
            advances.append(
                PositionAdvance(
                    source: source, partition: partition, expected: expected, next: offset + 1))
        }
    }

    /// Copies the messages.
    consuming func build(
        from buffer: borrowing MessageBuffer
    ) -> (fetch: Fetch, ends: [Ends]) {
        let entries = entries
        let ends = ends(in: buffer)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { target, count in
            var writer = unsafe ByteWriter(target)
            for entry in entries {
                unsafe buffer.withPointer(at: entry.index) { message in
                    unsafe writer.append(message.pointee.key, message.pointee.key_len)
                    unsafe writer.append(message.pointee.payload, message.pointee.len)
                    unsafe MessageHeaders.forEach(of: message) { _, value, size in
                        unsafe writer.append(value, size)
                    }
                }
            }
            count = writer.count
        }
        var records: [Record] = []
        records.reserveCapacity(entries.count)
        var at = 0
        func slice(_ size: Int) -> Bytes {
            defer { at += size }
            return bytes[at..<at + size]
        }
        for (ordinal, entry) in entries.enumerated() {
            let record = unsafe buffer.withPointer(at: entry.index) { message in
                let key = unsafe message.pointee.key == nil ? nil : slice(message.pointee.key_len)
                let payload = unsafe slice(message.pointee.len)
                var headers: [Header] = []
                unsafe MessageHeaders.forEach(of: message) { name, value, size in
                    unsafe headers.append(
                        Header(
                            name: String(cString: name), value: value == nil ? nil : slice(size)))
                }
                return unsafe Record(
                    key: key, payload: payload, isTombstone: message.pointee.payload == nil,
                    headers: headers,
                    timestamp: Self.timestamp(of: message) ?? .epoch,
                    origin: Origin(
                        source: topic, partition: entry.partition, offset: entry.offset),
                    ordinal: ordinal)
            }
            records.append(record)
        }
        return (Fetch(records: records, advances: advances), ends)
    }

    private borrowing func ends(in buffer: borrowing MessageBuffer) -> [Ends] {
        advances.map { advance in
            func witness(_ entry: Entry) -> LogWitness {
                unsafe buffer.withPointer(at: entry.index) { unsafe LogWitness($0) }
            }
            let first = entries.first { $0.partition == advance.partition }!
            let last = entries.last { $0.partition == advance.partition }!
            return Ends(
                partition: advance.partition, first: witness(first), last: witness(last))
        }
    }

    private static func timestamp(of message: MessageBuffer.Message) -> Timestamp? {
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let milliseconds = unsafe rd_kafka_message_timestamp(message, &type)
        guard type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE, milliseconds >= 0 else { return nil }
        let (microseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1000)
        return overflow ? nil : Timestamp(microseconds: microseconds)
    }
}

/// Appends to memory that was counted beforehand.
@safe private struct ByteWriter {
    private let target: UnsafeMutableBufferPointer<UInt8>
    private(set) var count = 0

    init(_ target: UnsafeMutableBufferPointer<UInt8>) { unsafe self.target = unsafe target }

    mutating func append(_ bytes: UnsafeRawPointer?, _ size: Int) {
        guard size > 0, let bytes = unsafe bytes else { return }
        unsafe precondition(size <= target.count - count)
        unsafe UnsafeMutableRawPointer(target.baseAddress! + count).copyMemory(
            from: bytes, byteCount: size)
        count += size
    }
}

/// Owns messages that have left librdkafka's queue and are not handed out yet.
///
/// Holds no more than `capacity` messages; one that is filled from a queue only when it is empty,
/// and so no more bytes than the queue did.
@safe struct MessageBuffer: ~Copyable {
    typealias Message = UnsafeMutablePointer<rd_kafka_message_t>

    /// Messages belong to their client: it must not go before they do.
    private let client: KafkaClient
    private let slots: UnsafeMutablePointer<Message?>
    private let capacity: Int
    private var first = 0
    private var end = 0

    init(of client: KafkaClient, capacity: Int) {
        self.client = client
        self.capacity = capacity
        unsafe slots = .allocate(capacity: capacity)
        unsafe slots.initialize(repeating: nil, count: capacity)
    }

    deinit {
        for index in first..<end { unsafe rd_kafka_message_destroy(slots[index]) }
        unsafe slots.deallocate()
    }

    var count: Int { end - first }

    mutating func fill(from queue: ConsumerQueue) {
        precondition(count == 0, "filled only when empty")
        first = 0
        end = unsafe queue.take(into: slots, limit: capacity)
    }

    /// Takes a message over.
    mutating func append(_ message: Message) {
        precondition(end < capacity)
        unsafe slots[end] = unsafe message
        end += 1
    }

    /// Lends the message at `index`, counted from the oldest.
    func withPointer<T>(at index: Int, _ body: (Message) -> T) -> T {
        precondition(index >= 0 && index < count)
        return unsafe body(slots[first + index]!)
    }

    /// Frees the oldest messages.
    mutating func remove(first number: Int) {
        precondition(number <= count)
        for index in first..<first + number { unsafe rd_kafka_message_destroy(slots[index]) }
        first += number
    }

    /// Frees the messages of some partitions; the others keep their order.
    mutating func remove(of partitions: Set<Int32>) {
        var kept = first
        for index in first..<end {
            let message = unsafe slots[index]!
            if unsafe partitions.contains(message.pointee.partition) {
                unsafe rd_kafka_message_destroy(message)
            } else {
                unsafe slots[kept] = unsafe message
                kept += 1
            }
        }
        end = kept
    }

    mutating func removeAll() { remove(first: count) }
}

/// The headers of a message, which librdkafka parses when they are first asked for.
private enum MessageHeaders {
    /// Visits each header's name, value (`nil` where there is none) and size.
    static func forEach(
        of message: MessageBuffer.Message,
        _ body: (UnsafePointer<CChar>, UnsafeRawPointer?, Int) -> Void
    ) {
        var headers: OpaquePointer?
        guard unsafe rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR
        else { return }
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        var index = 0
        while unsafe rd_kafka_header_get_all(headers, index, &name, &value, &size)
            == RD_KAFKA_RESP_ERR_NO_ERROR
        {
            unsafe body(name!, value, value == nil ? 0 : size)
            index += 1
        }
    }

    /// Bytes of all values.
    static func byteCount(of message: MessageBuffer.Message) -> Int {
        var count = 0
        unsafe forEach(of: message) { _, _, size in count += size }
        return count
    }
}

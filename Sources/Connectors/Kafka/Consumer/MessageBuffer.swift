internal import CRdKafka

/// Owns messages that have left librdkafka's queue and are not handed out yet.
///
/// Only filled when empty, so that it holds no more than `capacity` messages, and no more bytes
/// than the queue did.
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

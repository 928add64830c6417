internal import Concurrency
internal import CRdKafka
internal import PipelineCore
internal import Synchronization

/// Owns the queue that a consumer's records and callbacks come through, and sends a signal when it
/// fills.
///
/// Sendable because librdkafka's queues are thread-safe and the pointer never changes.
@safe final class ConsumerQueue: @unchecked Sendable {
    private let queue: OpaquePointer
    private let client: KafkaClient
    private let signal: Signal

    init(_ client: KafkaClient, _ signal: Signal) {
        self.client = client
        self.signal = signal
        unsafe queue = client.withHandle { unsafe rd_kafka_queue_get_consumer($0) }
        unsafe rd_kafka_queue_cb_event_enable(
            queue,
            { _, signal in
                unsafe Unmanaged<Signal>.fromOpaque(signal!).takeUnretainedValue().send()
            }, Unmanaged.passUnretained(signal).toOpaque())
    }

    deinit {
        unsafe rd_kafka_queue_cb_event_enable(queue, nil, nil)
        unsafe rd_kafka_queue_destroy(queue)
    }

    /// How many messages and callbacks wait.
    var count: Int { unsafe rd_kafka_queue_length(queue) }

    /// Takes what is there, up to `limit` messages, and serves callbacks. Does not wait: with any
    /// timeout but 0 the call would wait until `limit` is reached.
    func take(
        into messages: UnsafeMutablePointer<UnsafeMutablePointer<rd_kafka_message_t>?>,
        limit: Int
    ) -> Int {
        max(0, unsafe rd_kafka_consume_batch_queue(queue, 0, messages, limit))
    }
}

/// Makes librdkafka fetch again as soon as its queue has room.
///
/// When its queue is full, librdkafka looks at it again only a second later: a consumer slower than
/// its broker would stand still for most of each second, or the queue would have to hold a second's
/// records. From 2.2 on `fetch.queue.backoff.ms` shortens the second. Before, the one public call
/// that wakes the brokers' threads without doing anything else is the one that sets the (same) SASL
/// credentials
/// ([source](https://github.com/confluentinc/librdkafka/blob/v2.0.2/src/rdkafka_sasl.c)).
struct FetchReminder: Sendable {
    private static let interval = Duration.milliseconds(5)

    private let user: String
    private let password: String
    private let isNeeded: Bool
    /// Fewer than that wait: there is room.
    private let lowMark: Int
    private var last: Instant
    private var isOwed = false

    init(_ settings: KafkaSettings, now: Instant) {
        (user, password) = settings.credentials
        isNeeded = !PropertyCatalogue.knows("fetch.queue.backoff.ms")
        lowMark = settings.queuedMessages / 2
        last = now
    }

    /// Records have left the queue.
    mutating func recordsTaken() { isOwed = isNeeded }

    /// When to call ``remind(_:_:now:)`` although nothing has come.
    var due: Instant? { isOwed ? last.advanced(by: Self.interval) : nil }

    /// Reminds if there is room, and not more often than the interval allows. Does not block.
    mutating func remind(_ client: KafkaClient, _ queue: ConsumerQueue, now: Instant) {
        guard let due, now >= due, queue.count < lowMark else { return }
        last = now
        isOwed = false
        let error = unsafe client.withHandle {
            unsafe rd_kafka_sasl_set_credentials($0, user, password)
        }
        if let error = unsafe error { unsafe rd_kafka_error_destroy(error) }
    }
}

/// A change of what a consumer may read, as its group has decided it.
enum RebalanceChange: Sendable, Equatable {
    case assign([Int32])
    /// `isLost`: others may be reading these already; nothing may be committed.
    case revoke([Int32], isLost: Bool)
}

/// Changes between librdkafka's callback, which can't wait, and the consumer, which reads stored
/// positions first.
///
/// The group waits for the answer (`rd_kafka_incremental_assign`, `…_unassign`), which may come
/// later and from any thread. Once the queue is closed the callback answers at once, since closing
/// a consumer waits for it.
final class RebalanceQueue: Sendable {
    private struct State {
        var changes: [RebalanceChange] = []
        var isClosed = false
        var hasAssignment = false
    }
    private let state = Mutex(State())

    /// The rebalance callback; runs inside the consumer's own calls.
    func receive(
        _ code: rd_kafka_resp_err_t,
        _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>, _ handle: OpaquePointer
    ) {
        let partitions = unsafe OffsetList.partitions(of: list)
        let isAssignment = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS
        let isLost = unsafe rd_kafka_assignment_lost(handle) != 0
        let isClosed = state.withLock { state in
            if isAssignment { state.hasAssignment = true }
            if !state.isClosed {
                state.changes.append(
                    isAssignment ? .assign(partitions) : .revoke(partitions, isLost: isLost))
            }
            return state.isClosed
        }
        guard isClosed else { return }
        let error =
            unsafe isAssignment
            ? rd_kafka_incremental_assign(handle, list)
            : rd_kafka_incremental_unassign(handle, list)
        if let error = unsafe error { unsafe rd_kafka_error_destroy(error) }
    }

    /// Whether the group has ever assigned anything to this member, be it nothing.
    var hasBegun: Bool { state.withLock(\.hasAssignment) }

    /// The oldest change; it stays until ``removeFirst()``.
    var first: RebalanceChange? { state.withLock { $0.changes.first } }
    func removeFirst() {
        state.withLock { if !$0.changes.isEmpty { $0.changes.removeFirst() } }
    }

    /// From now on the callback answers by itself.
    /// - Returns: what has not been answered.
    func close() -> [RebalanceChange] {
        state.withLock { state in
            state.isClosed = true
            defer { state.changes = [] }
            return state.changes
        }
    }
}

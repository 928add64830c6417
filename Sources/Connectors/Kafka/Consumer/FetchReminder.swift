internal import CRdKafka
internal import PipelineCore

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

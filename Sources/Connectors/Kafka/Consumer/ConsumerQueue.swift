internal import CRdKafka
internal import PipelineCore

/// Owns the queue that a consumer's records and callbacks come through, and sends a signal when it
/// fills.
///
/// Sendable because librdkafka's queues are thread-safe and the pointer never changes.
@safe final class ConsumerQueue: @unchecked Sendable {
    private let queue: OpaquePointer
    private let client: KafkaClient
    private let doorbell: Signal

    init(_ client: KafkaClient, _ doorbell: Signal) {
        self.client = client
        self.doorbell = doorbell
        unsafe queue = client.withHandle { unsafe rd_kafka_queue_get_consumer($0) }
        unsafe rd_kafka_queue_cb_event_enable(
            queue,
            { _, doorbell in
                unsafe Unmanaged<Signal>.fromOpaque(doorbell!).takeUnretainedValue().send()
            }, Unmanaged.passUnretained(doorbell).toOpaque())
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

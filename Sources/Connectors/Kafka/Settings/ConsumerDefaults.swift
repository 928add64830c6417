/// What consumers set where the operator does not.
///
/// Memory: librdkafka prefetches into one queue for all partitions. Its own limits (64 MiB and
/// 100,000 records, each with about 600 bytes of bookkeeping) would take ten times what a pipeline
/// needs to be kept busy.
enum ConsumerDefaults {
    static let queuedMessages = 10_000

    /// One record of each partition, and an answer when there is none. All partitions share one queue: were it allowed to
    /// fill up, those that come later would wait for a second.
    static let probe = [
        ("allow.auto.create.topics", "false"), ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"), ("auto.offset.reset", "error"),
        ("enable.partition.eof", "true"), ("queued.min.messages", "100000"),
        ("queued.max.messages.kbytes", "65536"), ("fetch.wait.max.ms", "10"),
        ("fetch.error.backoff.ms", "50"), ("fetch.message.max.bytes", "65536"),
    ]

    static func properties(chosen: [String: String]) -> [(String, String)] {
        var properties = [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            // What was read up to the end can be committed behind a transaction's marker.
            ("enable.partition.eof", "true"),
            ("allow.auto.create.topics", "false"),
            // Only ever used when a partition's log no longer holds the position: what is left of
            // it is read then.
            ("auto.offset.reset", "earliest"),
            ("queued.min.messages", "\(queuedMessages)"),
            ("queued.max.messages.kbytes", "8192"),
            ("fetch.message.max.bytes", "1048576"),
            ("fetch.max.bytes", "8388608"),
            // How long a broker holds an empty answer back. New records come at once; a new
            // partition waits for this.
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "100"),
            // How soon a topic that was created, or grew, is noticed.
            ("topic.metadata.refresh.interval.ms", "30000"),
        ]
        // In the next-generation protocol the broker decides about both, and clients must not.
        if chosen["group.protocol"]?.lowercased() != "consumer" {
            properties.append(("partition.assignment.strategy", "cooperative-sticky"))
            // How long a killed member's partitions stay unread, and how long a broker that was
            // killed waits for members that have joined anew since. The library's 45 s spare groups
            // whose rebalancing is dear; with stored positions it is not.
            properties.append(("session.timeout.ms", "15000"))
        }
        // From 2.2 on a consumer slower than its broker would be left without records for a second.
        if PropertyCatalogue.knows("fetch.queue.backoff.ms") {
            properties.append(("fetch.queue.backoff.ms", "10"))
        }
        return properties
    }
}

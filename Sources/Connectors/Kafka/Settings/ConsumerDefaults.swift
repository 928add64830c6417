/// What consumers set where the operator does not.
///
/// Memory: librdkafka prefetches into one queue for all partitions, each record with about 600 bytes of bookkeeping,
/// and its own limits (64 MiB and 100,000 records) are far more than keeps a pipeline busy. Except before 2.2: there a
/// queue that was full once is filled again only when librdkafka's broker thread wakes by itself, after up to a
/// second, so that it has to hold what a second takes.
enum ConsumerDefaults {
    static func properties(chosen: [String: String]) -> [(String, String)] {
        var properties = [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("allow.auto.create.topics", "false"),
            // Only ever used when a partition's log no longer holds the position: what is left of it is read then.
            ("auto.offset.reset", "earliest"),
            ("fetch.message.max.bytes", "1048576"),
            ("fetch.max.bytes", "8388608"),
            // How long a broker holds an empty answer back. New records come at once; a new partition waits for this.
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "100"),
            // How soon a topic that was created, or grew, is noticed.
            ("topic.metadata.refresh.interval.ms", "30000"),
        ]
        // The next-generation protocol assigns on the broker and refuses a strategy.
        if chosen["group.protocol"]?.lowercased() != "consumer" {
            properties.append(("partition.assignment.strategy", "cooperative-sticky"))
        }
        if PropertyCatalogue.knows("fetch.queue.backoff.ms") {
            properties += [
                // Its default leaves a consumer slower than its broker without records for a second.
                ("fetch.queue.backoff.ms", "10"),
                ("queued.min.messages", "10000"),
                ("queued.max.messages.kbytes", "8192"),
            ]
        } else {
            properties += [
                ("queued.min.messages", "80000"),
                ("queued.max.messages.kbytes", "32768"),
            ]
        }
        return properties
    }
}

/// What producers set where the operator does not.
enum ProducerDefaults {
    /// What librdkafka sends at once at most, and what a topic takes whose limit nobody tells.
    private static let plainBytes = 1_000_000
    private static let brokerDefaultBytes = 1_048_588
    private static let bufferKilobytes = 32_768

    /// - Parameter largestBatch: what the topic takes at most, in bytes (`max.message.bytes`), where that is known.
    static func properties(
        chosen: [String: String], largestBatch: Int? = nil
    ) -> [(String, String)] {
        // A topic's limit is that of a batch as it is stored, which may be smaller than its records.
        let isCompressed = chosen.keys.contains { $0.hasPrefix("compression.") }
        let bytes = min(max(largestBatch ?? brokerDefaultBytes, 1000), 100_000_000)
        let recordBytes = max(isCompressed ? 8 * bytes : bytes, plainBytes)
        var properties = [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            // A send hands over all its records at once; waiting longer gathers nothing more.
            ("linger.ms", "1"),
            ("queue.buffering.max.kbytes", "\(max(bufferKilobytes, recordBytes / 512))"),
            // librdkafka's own limits lie below the broker's; what is too large says the topic. A broker refuses a batch
            // as a whole: none is larger than what the topic takes, unless it is a single record.
            ("message.max.bytes", "\(recordBytes)"),
            ("batch.size", "\(min(bytes, plainBytes))"),
            // As Java's client places keys, so that everybody's records of one key share a
            // partition.
            ("partitioner", "murmur2_random"),
        ]
        if chosen["delivery.timeout.ms"] == nil {
            properties.append(("message.timeout.ms", "30000"))
        }
        return properties
    }
}

/// What producers set where the operator does not.
enum ProducerDefaults {
    static func properties(chosen: [String: String]) -> [(String, String)] {
        var properties = [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            // A send hands over all its records at once; waiting longer gathers nothing more.
            ("linger.ms", "1"),
            ("queue.buffering.max.kbytes", "32768"),
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

/// A line that librdkafka, or the connector itself, wants an operator to see.
public struct KafkaLogLine: Sendable {
    /// As syslog counts (RFC 5424): 3 error, 4 warning, 5 notice, 6 information, 7 debugging.
    public var severity: Int
    /// What part of the client speaks: librdkafka's facility (`FAIL`, `REBALANCE`, …), or
    /// `POSITION` and `COMMIT`.
    public var facility: String
    public var message: String

    public init(severity: Int, facility: String, message: String) {
        self.severity = severity
        self.facility = facility
        self.message = message
    }
}

/// Takes log lines. Called from librdkafka's own threads: must not block.
public typealias KafkaLog = @Sendable (KafkaLogLine) -> Void

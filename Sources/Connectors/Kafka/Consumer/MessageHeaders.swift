internal import CRdKafka

/// The headers of a message, which librdkafka parses when they are first asked for.
enum MessageHeaders {
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

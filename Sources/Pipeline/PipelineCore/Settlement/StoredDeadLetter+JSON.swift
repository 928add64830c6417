public import Specification

extension StoredDeadLetter {
    /// The letter as one object: for files and for programs. Bytes that are not UTF-8 stand under a key that ends in
    /// `_base64`; a key, payload or header value that is not there is null.
    public var json: JSON {
        let (record, origin) = (rejection.record, rejection.record.origin)
        return .object(
            [
                ("stage", .string(rejection.stage)), ("code", .string(rejection.code)),
                ("reason", .string(rejection.reason)), ("attempts", .number(rejection.attempts)),
                ("refusal", .string("\(refusal)")), ("resource", .string(resource)),
                ("origin", .string(origin.source)),
                ("partition", .number(Int(origin.partition))),
                ("offset", .number(Int(origin.offset))),
                ("timestamp_microseconds", .number(Int(record.timestamp.microseconds))),
                Self.member("key", record.key),
                Self.member("payload", record.isTombstone ? nil : record.payload),
                (
                    "headers",
                    .array(
                        record.headers.map { header in
                            .object([
                                ("name", .string(header.name)), Self.member("value", header.value),
                            ])
                        })
                ),
            ])
    }

    private static func member(_ name: String, _ bytes: Bytes?) -> (String, JSON) {
        guard let bytes else { return (name, .null) }
        if let text = String(validating: bytes, as: UTF8.self) { return (name, .string(text)) }
        return ("\(name)_base64", .string(base64(bytes)))
    }

    /// [RFC 4648](https://www.rfc-editor.org/rfc/rfc4648)
    private static func base64(_ bytes: Bytes) -> String {
        let alphabet = [UInt8](
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        var rest = bytes
        while !rest.isEmpty {
            let group = rest.prefix(3)
            rest = rest.dropFirst(3)
            let bits = (0..<3).reduce(0) { bits, index in
                bits << 8 | (index < group.count ? Int(group[group.startIndex + index]) : 0)
            }
            for index in 0..<4 {
                text.append(
                    index <= group.count
                        ? alphabet[bits >> (18 - 6 * index) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

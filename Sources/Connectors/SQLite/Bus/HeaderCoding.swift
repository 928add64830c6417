internal import PipelineCore

/// Headers as one blob: for each the name's length, the name, the value's length, the value;
/// lengths are 32 bits, little-endian.
enum HeaderCoding {
    /// `nil` without headers.
    static func encode(_ headers: [Header]) -> [UInt8]? {
        if headers.isEmpty { return nil }
        var bytes: [UInt8] = []
        for header in headers {
            append(Array(header.name.utf8)[...], to: &bytes)
            append(header.value, to: &bytes)
        }
        return bytes
    }

    static func decode(_ bytes: Bytes) -> [Header] {
        var rest = bytes
        var headers: [Header] = []
        while let name = take(from: &rest), let value = take(from: &rest) {
            headers.append(Header(name: String(decoding: name, as: UTF8.self), value: value))
        }
        return headers
    }

    private static func append(_ field: Bytes, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: field.count >> shift))
        }
        bytes.append(contentsOf: field)
    }

    private static func take(from rest: inout Bytes) -> Bytes? {
        guard rest.count >= 4 else { return nil }
        let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(4)
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }
}

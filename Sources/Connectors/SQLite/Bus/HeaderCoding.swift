public import PipelineCore

/// Headers as one blob: for each the name's length, the name, the value's length, the value;
/// lengths are 32 bits, little-endian. The length of a value that is not there is the largest there is.
public enum HeaderCoding {
    private static let missing = Int(UInt32.max)

    /// `nil` without headers.
    public static func encode(_ headers: [Header]) -> [UInt8]? {
        if headers.isEmpty { return nil }
        var bytes: [UInt8] = []
        for header in headers {
            append(Array(header.name.utf8)[...], to: &bytes)
            if let value = header.value {
                append(value, to: &bytes)
            } else {
                append(length: missing, to: &bytes)
            }
        }
        return bytes
    }

    public static func decode(_ bytes: Bytes) -> [Header] {
        var rest = bytes
        var headers: [Header] = []
        while let name = take(from: &rest) ?? nil, let value = take(from: &rest) {
            headers.append(Header(name: String(decoding: name, as: UTF8.self), value: value))
        }
        return headers
    }

    private static func append(_ field: Bytes, to bytes: inout [UInt8]) {
        append(length: field.count, to: &bytes)
        bytes.append(contentsOf: field)
    }

    private static func append(length: Int, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: length >> shift))
        }
    }

    /// `nil` at the end; a field that is not there is `.some(nil)`.
    private static func take(from rest: inout Bytes) -> Bytes?? {
        guard rest.count >= 4 else { return nil }
        let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(4)
        if count == missing { return .some(nil) }
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return .some(rest.prefix(count))
    }
}

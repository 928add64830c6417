extension JSONReader {
    /// Reads a string and makes a value of it.
    ///
    /// - Throws: ``ProtobufError`` at the string when `parse` gives nil.
    mutating func parsedString<Value>(
        _ expected: String, _ parse: (String) -> Value?
    ) throws(ProtobufError) -> Value {
        _ = try peek()
        let start = position
        guard input[position] == UInt8(ascii: "\"") else { throw unexpected(expected) }
        let text = try string()
        if let value = parse(text) { return value }
        position = start
        throw error(.invalidValue, "expected \(expected), found \"\(text)\"")
    }

    /// The key that tells the type of a `google.protobuf.Any`.
    static let typeKey = "@type"

    /// Looks for the type of a `google.protobuf.Any`, which may come anywhere in the object.
    ///
    /// - Returns: nil for an empty object, which has been read; else nothing has been read.
    mutating func typeOfAny() throws(ProtobufError) -> String? {
        _ = try peek()
        let start = position
        var url: String?
        var isEmpty = true
        try object { (key, reader) throws(ProtobufError) in
            isEmpty = false
            if key == Self.typeKey, url == nil {
                url = try reader.string()
            } else {
                try reader.skipValue()
            }
        }
        if isEmpty { return nil }
        position = start
        guard let url, !url.isEmpty else {
            throw error(.invalidValue, "expected an object with \"@type\", a type's URL")
        }
        return url
    }

    /// Reads an object in which `@type` is no unknown field.
    mutating func objectOfAny(
        _ body: (inout JSONReader) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        let outer = depthOfAny
        depthOfAny = depth - 1
        try body(&self)
        depthOfAny = outer
    }
}

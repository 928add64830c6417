extension Google_Protobuf_FieldMask {
    // In JSON the paths are one string, in lower camel case: "user.displayName,photo".

    public mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        let read = try reader.parsedString("field paths in lower camel case") {
            $0.isEmpty ? [] : Self.paths($0)
        }
        paths += read
    }

    public func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        var written: [String] = []
        for path in paths {
            guard let camel = Self.camel(path) else {
                throw ProtobufError(.unencodable, "the path \(path) has no form in JSON")
            }
            written.append(camel)
        }
        writer.string(written.joined(separator: ","))
    }

    private static func paths(_ text: String) -> [String]? {
        var paths: [String] = []
        for path in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard !path.isEmpty, !path.utf8.contains(UInt8(ascii: "_")) else { return nil }
            var snake = ""
            for character in path {
                if character.isUppercase { snake.append("_") }
                snake += character.lowercased()
            }
            paths.append(snake)
        }
        return paths
    }

    /// Nil for a path that would not read back as it was.
    private static func camel(_ path: String) -> String? {
        var camel = ""
        var isAfterUnderscore = false
        for character in path {
            if character.isUppercase { return nil }
            if isAfterUnderscore {
                guard character.isLetter else { return nil }
                camel += character.uppercased()
                isAfterUnderscore = false
            } else if character == "_" {
                isAfterUnderscore = true
            } else {
                camel.append(character)
            }
        }
        return isAfterUnderscore ? nil : camel
    }
}

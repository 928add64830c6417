extension JSONReader {
    /// The bytes from `start` to `end` as text.
    func text(_ start: Int, _ end: Int) throws(ProtobufError) -> String {
        do {
            return String(copying: try UTF8Span(validating: input.extracting(start..<end)))
        } catch {
            throw self.error(.invalidUTF8, "a string is no UTF-8")
        }
    }

    /// Reads a string. One without escapes is copied once.
    public mutating func string() throws(ProtobufError) -> String {
        guard try take(UInt8(ascii: "\"")) else { throw unexpected("a string") }
        var start = position
        var built = ""
        while position < input.count {
            switch input[position] {
            case UInt8(ascii: "\""):
                let rest = try text(start, position)
                position += 1
                return built.isEmpty ? rest : built + rest
            case UInt8(ascii: "\\"):
                built += try text(start, position)
                built.unicodeScalars.append(try escape())
                start = position
            case ..<0x20: throw error(.malformedJSON, "a control character in a string")
            default: position &+= 1
            }
        }
        throw error(.truncated, "the text ends within a string")
    }

    private mutating func escape() throws(ProtobufError) -> UnicodeScalar {
        guard input.count - position >= 2 else {
            throw error(.truncated, "the text ends within a string")
        }
        let character = input[position + 1]
        let escaped: UnicodeScalar
        switch character {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
            escaped = UnicodeScalar(character)
        case UInt8(ascii: "b"): escaped = "\u{8}"
        case UInt8(ascii: "f"): escaped = "\u{C}"
        case UInt8(ascii: "n"): escaped = "\n"
        case UInt8(ascii: "r"): escaped = "\r"
        case UInt8(ascii: "t"): escaped = "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw error(.malformedJSON, "an unknown escape in a string")
        }
        position += 2
        return escaped
    }

    /// `\uXXXX`, or two of them that form a surrogate pair.
    private mutating func unicodeEscape() throws(ProtobufError) -> UnicodeScalar {
        let start = position
        var code = try hexadecimal()
        if code >> 10 == 0x36, input.count - position >= 2,
            input[position] == UInt8(ascii: "\\"), input[position + 1] == UInt8(ascii: "u")
        {
            let low = try hexadecimal()
            if low >> 10 == 0x37 { code = 0x10000 + (code & 0x3FF) << 10 + (low & 0x3FF) }
        }
        guard let scalar = UnicodeScalar(code) else {
            position = start
            throw error(.malformedJSON, "a lone surrogate in a string")
        }
        return scalar
    }

    private mutating func hexadecimal() throws(ProtobufError) -> UInt32 {
        position += 2
        guard input.count - position >= 4 else {
            throw error(.truncated, "the text ends within a string")
        }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let digit: UInt8
            switch input[position] {
            case let byte where byte &- 0x30 < 10: digit = byte &- 0x30
            case let byte where (byte | 0x20) &- 0x61 < 6: digit = (byte | 0x20) &- 0x61 &+ 10
            default: throw error(.malformedJSON, "an escape needs four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    /// Reads bytes in base64 or its URL-safe alphabet, with padding or without.
    mutating func base64() throws(ProtobufError) -> [UInt8] {
        _ = try peek()
        let start = position
        let text = try string()
        guard let bytes = Base64.decode(text) else {
            position = start
            throw error(.invalidValue, "the string is no base64")
        }
        return bytes
    }
}

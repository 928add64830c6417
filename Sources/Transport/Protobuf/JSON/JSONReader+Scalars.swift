extension JSONReader {
    /// The bytes from `start` to `end` as text.
    private func text(_ start: Int, _ end: Int) throws(ProtobufError) -> String {
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

extension JSONReader {
    private mutating func digits() -> Int {
        let start = position
        while position < input.count, input[position] &- 0x30 < 10 { position &+= 1 }
        return position - start
    }

    private mutating func takeSign(plus: Bool) {
        guard position < input.count else { return }
        let byte = input[position]
        if byte == UInt8(ascii: "-") || plus && byte == UInt8(ascii: "+") { position &+= 1 }
    }

    /// A number's text, checked against the grammar.
    mutating func number() throws(ProtobufError) -> String {
        _ = try peek()
        let start = position
        takeSign(plus: false)
        let first = position
        let count = digits()
        guard count > 0 else {
            position = start
            throw unexpected("a number")
        }
        guard count == 1 || input[first] != UInt8(ascii: "0") else {
            throw error(.malformedJSON, "a number begins with 0")
        }
        if position < input.count, input[position] == UInt8(ascii: ".") {
            position &+= 1
            guard digits() > 0 else { throw unexpected("a digit") }
        }
        if position < input.count, input[position] | 0x20 == UInt8(ascii: "e") {
            position &+= 1
            takeSign(plus: true)
            guard digits() > 0 else { throw unexpected("a digit") }
        }
        return try text(start, position)
    }

    /// A number, or one in quotes, as 64-bit numbers are written.
    private mutating func numberOrQuoted() throws(ProtobufError) -> String {
        guard try peek() == UInt8(ascii: "\"") else { return try number() }
        let start = position
        let quoted = try string()
        if ["NaN", "Infinity", "-Infinity"].contains(quoted) { return quoted }
        var inner = JSONReader(quoted.utf8.span)
        guard let number = try? inner.number(), number == quoted else {
            position = start
            throw unexpected("a number")
        }
        return quoted
    }

    /// Reads an integer; `1.0` and `1e3` are integers too, as JavaScript writes them.
    ///
    /// - Throws: ``ProtobufError`` with the code `invalidValue` for fractions and numbers out of
    ///   the type's range.
    public mutating func integer<T: FixedWidthInteger & LosslessStringConvertible>()
        throws(ProtobufError) -> T
    {
        _ = try peek()
        let start = position
        let text = try numberOrQuoted()
        if let value = T(text) { return value }
        // From 2^53 on a double would pass for a neighbour, silently.
        if text.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 | 0x20 == UInt8(ascii: "e") }),
            let double = Double(text), double.magnitude < 0x1p53, let value = T(exactly: double)
        {
            return value
        }
        position = start
        throw error(.invalidValue, "expected an integer from \(T.min) to \(T.max), found \(text)")
    }

    /// Reads a number; `"NaN"`, `"Infinity"` and `"-Infinity"` stand for what JSON has no word for.
    ///
    /// - Throws: ``ProtobufError`` with the code `invalidValue` for numbers out of the type's
    ///   range.
    public mutating func floatingPoint<T: BinaryFloatingPoint & LosslessStringConvertible>()
        throws(ProtobufError) -> T
    {
        _ = try peek()
        let start = position
        let text = try numberOrQuoted()
        switch text {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default:
            if let value = T(text), value.isFinite { return value }
            position = start
            throw error(.invalidValue, "the number \(text) is out of range")
        }
    }
}

/// Base64, as JSON carries bytes. [RFC 4648](https://www.rfc-editor.org/rfc/rfc4648)
package enum Base64 {
    private static let alphabet = [UInt8](
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var bits = 0
            for index in 0..<3 {
                bits = bits << 8 | (index < count ? Int(bytes[start + index]) : 0)
            }
            for index in 0..<4 {
                text.append(
                    index <= count
                        ? alphabet[bits >> (18 - 6 * index) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Accepts both alphabets, with padding or without.
    ///
    /// - Returns: nil for characters outside the alphabets and impossible lengths.
    package static func decode(_ text: String) -> [UInt8]? {
        var text = text[...].utf8
        if text.count % 4 == 0 {
            for _ in 0..<2 where text.last == UInt8(ascii: "=") { text.removeLast() }
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count * 3 / 4)
        var bits: UInt32 = 0
        var count = 0
        for character in text {
            guard let value = value(of: character) else { return nil }
            bits = bits << 6 | UInt32(value)
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return count < 6 ? bytes : nil
    }

    private static func value(of character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): character - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): character - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"), UInt8(ascii: "-"): 62
        case UInt8(ascii: "/"), UInt8(ascii: "_"): 63
        default: nil
        }
    }
}

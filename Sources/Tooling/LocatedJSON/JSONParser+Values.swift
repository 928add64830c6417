extension JSONParser {
    /// A number as written, once its grammar is right; its size is the reader's business.
    mutating func number() throws(JSON.Problem) -> String {
        let start = here
        if byte == UInt8(ascii: "-") { advance() }
        if byte == UInt8(ascii: "0") {
            advance()
            if isDigit {
                throw problem(message: "a number must not begin with 0", at: start)
            }
        } else {
            try digits("a number needs a digit here")
        }
        if byte == UInt8(ascii: ".") {
            advance()
            try digits("a number needs a digit after its point")
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            advance()
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { advance() }
            try digits("a number needs a digit in its exponent")
        }
        if isWordByte || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "+") {
            throw problem(
                message: "\(shownHere) follows a number",
                hint: "a value with a unit is a text: \"5m\"")
        }
        return String(decoding: bytes[start.offset..<index], as: UTF8.self)
    }

    private mutating func digits(_ complaint: String) throws(JSON.Problem) {
        guard isDigit else { throw problem(message: "\(complaint), found \(shownHere)") }
        while isDigit { advance() }
    }

    /// `true`, `false` or `null`; everything else is refused with what was probably meant.
    mutating func word() throws(JSON.Problem) -> JSON.Content {
        let start = here
        let hint = hintHere
        while isWordByte { advance() }
        switch String(decoding: bytes[start.offset..<index], as: UTF8.self) {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        case "":
            throw problem(message: "expected a value, found \(shownHere)", hint: hint)
        case let word:
            throw problem(
                message: "'\(word.prefix(40))' is not JSON",
                hint: hint ?? Self.hint(forWord: word), at: start)
        }
    }

    private static func hint(forWord word: String) -> String {
        switch word.lowercased() {
        case "true", "yes", "on": "write true"
        case "false", "no", "off": "write false"
        case "null", "none", "nil", "undefined": "write null"
        case "nan", "infinity", "inf": "JSON has no such number"
        default: "text stands in double quotes"
        }
    }

    private var isDigit: Bool {
        !isAtEnd && (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private var isWordByte: Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: byte >= 0x80
        }
    }

    /// What stands here, for a message.
    var shownHere: String {
        guard !isAtEnd else { return "the end of the text" }
        let text = String(decoding: bytes[index..<min(index + 4, bytes.count)], as: UTF8.self)
        guard let scalar = text.unicodeScalars.first, scalar.value >= 0x20, scalar.value != 0x7F
        else { return "the control character 0x" + String(byte, radix: 16) }
        return "'\(scalar)'"
    }

    /// What was probably meant here.
    var hintHere: String? {
        switch byte {
        case UInt8(ascii: "'"): "JSON quotes with \""
        case UInt8(ascii: "/"), UInt8(ascii: "#"): "JSON has no comments"
        case UInt8(ascii: ","): "remove one comma"
        case UInt8(ascii: "+"), UInt8(ascii: "."): "a number begins with a digit or '-'"
        default: nil
        }
    }
}

extension JSONParser {
    /// Refuses text that is not UTF-8, at the first byte that is wrong.
    mutating func requireUTF8() throws(JSON.Problem) {
        var decoder = Unicode.UTF8.ForwardParser()
        var iterator = bytes.makeIterator()
        var position = Position.start
        while true {
            switch decoder.parseScalar(from: &iterator) {
            case .emptyInput: return
            case .error:
                throw problem(
                    .invalidUTF8, "the text is not UTF-8", hint: "save it as UTF-8", at: position)
            case .valid(let scalar):
                position.offset += scalar.count
                if scalar.first == UInt8(ascii: "\n") {
                    position.line += 1
                    position.column = 1
                } else {
                    position.column += 1
                }
            }
        }
    }

    /// A string with its escapes resolved.
    mutating func string() throws(JSON.Problem) -> String {
        let start = here
        advance()
        var text: [UInt8] = []
        while true {
            guard !isAtEnd else { throw unterminated(start) }
            switch byte {
            case UInt8(ascii: "\""):
                advance()
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0x0A, 0x0D: throw unterminated(start)
            case 0..<0x20:
                throw problem(
                    message: "\(shownHere) stands in a string", hint: "write it as an escape: \\t")
            default:
                text.append(byte)
                advance()
            }
        }
    }

    private func unterminated(_ start: Position) -> JSON.Problem {
        problem(
            message: "the string does not end on its line", hint: "close it with \"", at: start)
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSON.Problem) {
        let start = here
        advance()
        let simple: UInt8
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): simple = byte
        case UInt8(ascii: "b"): simple = 0x08
        case UInt8(ascii: "f"): simple = 0x0C
        case UInt8(ascii: "n"): simple = 0x0A
        case UInt8(ascii: "r"): simple = 0x0D
        case UInt8(ascii: "t"): simple = 0x09
        case UInt8(ascii: "u"):
            advance()
            let scalar = try unicodeEscape(start)
            text.append(contentsOf: Array(String(Character(scalar)).utf8))
            return
        default:
            throw problem(
                message: "'\\' followed by \(shownHere) is no escape",
                hint: "a backslash is written \\\\", at: start)
        }
        text.append(simple)
        advance()
    }

    /// One scalar: four digits, or a surrogate pair of twice four.
    private mutating func unicodeEscape(_ start: Position) throws(JSON.Problem) -> Unicode.Scalar {
        let first = try hexadecimal(start)
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), byte == UInt8(ascii: "\\"),
            index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "u")
        else { throw loneSurrogate(start) }
        advance()
        advance()
        let second = try hexadecimal(start)
        guard (0xDC00..<0xE000).contains(second),
            let scalar = Unicode.Scalar(
                0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00))
        else { throw loneSurrogate(start) }
        return scalar
    }

    private func loneSurrogate(_ start: Position) -> JSON.Problem {
        problem(
            message: "half a surrogate pair stands alone",
            hint: "write both halves, or the character itself", at: start)
    }

    private mutating func hexadecimal(_ start: Position) throws(JSON.Problem) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard !isAtEnd, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80
            else {
                throw problem(message: "'\\u' needs four hexadecimal digits", at: start)
            }
            value = value << 4 | UInt16(digit)
            advance()
        }
        return value
    }
}

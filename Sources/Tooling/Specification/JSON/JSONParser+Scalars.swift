extension JSONParser {
    /// A number as written, once its grammar is right; its size is the reader's business.
    mutating func number() throws(Diagnostic) -> String {
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

    private mutating func digits(_ complaint: String) throws(Diagnostic) {
        guard isDigit else { throw problem(message: "\(complaint), found \(shownHere)") }
        while isDigit { advance() }
    }

    /// `true`, `false` or `null`; everything else is refused with what was probably meant.
    mutating func word() throws(Diagnostic) -> JSON.Content {
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

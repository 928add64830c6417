internal import PipelineCore

extension [ConversionQuery] {
    /// The parameter of SQLite's read statement: `[["product","checkout" | null,start,end],…]`.
    func jsonParameter() -> String {
        var text: [UInt8] = [UInt8(ascii: "[")]
        text.reserveCapacity(count * 64)
        for query in self {
            if text.count > 1 { text.append(UInt8(ascii: ",")) }
            text.append(UInt8(ascii: "["))
            text.append(jsonString: query.productID)
            text.append(UInt8(ascii: ","))
            if let checkout = query.checkoutID {
                text.append(jsonString: checkout)
            } else {
                text += "null".utf8
            }
            text += ",\(query.start.microseconds),\(query.end.microseconds)]".utf8
        }
        text.append(UInt8(ascii: "]"))
        return String(decoding: text, as: UTF8.self)
    }
}

extension [UInt8] {
    /// [RFC 8259, strings](https://www.rfc-editor.org/rfc/rfc8259#section-7).
    fileprivate mutating func append(jsonString value: String) {
        append(UInt8(ascii: "\""))
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append(UInt8(ascii: "\\"))
                append(byte)
            case 0..<0x20:
                self += "\\u00".utf8
                append(hexDigit(byte >> 4))
                append(hexDigit(byte & 15))
            default: append(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }

    private func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}

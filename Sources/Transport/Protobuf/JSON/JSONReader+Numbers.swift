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
    /// - Throws: ``ProtobufError`` with the code `invalidValue` for fractions and numbers out of the
    ///   type's range.
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
    /// - Throws: ``ProtobufError`` with the code `invalidValue` for numbers out of the type's range.
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

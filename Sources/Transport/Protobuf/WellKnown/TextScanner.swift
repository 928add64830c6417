/// Scans text of a fixed format: times and durations.
struct TextScanner {
    private(set) var rest: Substring.UTF8View

    init(_ text: String) { rest = Substring(text).utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ character: UInt8) -> Bool {
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }

    /// Reads as many digits as allowed; nil when there are fewer than that.
    mutating func digits(_ allowed: ClosedRange<Int>) -> (value: Int, count: Int)? {
        var value = 0
        var count = 0
        while count < allowed.upperBound, let byte = rest.first, byte &- 0x30 < 10 {
            value = value * 10 + Int(byte - 0x30)
            count += 1
            rest.removeFirst()
        }
        return count >= allowed.lowerBound ? (value, count) : nil
    }

    /// Two digits that give a number within `range`.
    mutating func twoDigits(_ range: ClosedRange<Int>) -> Int? {
        guard let (value, _) = digits(2...2), range.contains(value) else { return nil }
        return value
    }

    /// A fraction of a second of one to nine digits, in nanoseconds. None is 0, a bad one nil.
    mutating func nanoseconds() -> Int? {
        guard take(UInt8(ascii: ".")) else { return 0 }
        guard let (value, count) = digits(1...9) else { return nil }
        return (count..<9).reduce(value) { value, _ in value * 10 }
    }

    /// `.5` as `.500`: nothing, or 3, 6 or 9 digits.
    static func fraction(nanoseconds: Int) -> String {
        if nanoseconds == 0 { return "" }
        if nanoseconds % 1_000_000 == 0 { return "." + padded(nanoseconds / 1_000_000, 3) }
        if nanoseconds % 1000 == 0 { return "." + padded(nanoseconds / 1000, 6) }
        return "." + padded(nanoseconds, 9)
    }

    static func padded(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.count)) + text
    }
}

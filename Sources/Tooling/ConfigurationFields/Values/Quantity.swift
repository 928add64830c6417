public import LocatedJSON

/// A decimal number with a unit behind it, read without rounding: `1.5h`, `64MiB`.
struct Quantity {
    /// Digits that may follow the point.
    static let fractionDigits = 9

    var whole: Int64
    /// The fraction in units of 10⁻⁹.
    var billionths: Int64
    /// The letters behind the number, spaces between allowed.
    var unit: Substring
    /// What follows the unit.
    var rest: Substring

    /// Reads a number and whatever follows it, spaces around each left out; nil when it does not begin with a digit, or has too
    /// many.
    init?(_ text: Substring) {
        let isDigit: (Character) -> Bool = { "0123456789".contains($0) }
        let isSpace: (Character) -> Bool = { $0 == " " }
        let text = text.drop(while: isSpace)
        let digits = text.prefix(while: isDigit)
        guard let whole = Int64(digits) else { return nil }
        var rest = text.dropFirst(digits.count)
        var billionths: Int64 = 0
        if rest.first == "." {
            let fraction = rest.dropFirst().prefix(while: isDigit)
            guard !fraction.isEmpty, fraction.count <= Self.fractionDigits else { return nil }
            let padding = String(repeating: "0", count: Self.fractionDigits - fraction.count)
            billionths = Int64(fraction + padding) ?? 0
            rest = rest.dropFirst(1 + fraction.count)
        }
        self.whole = whole
        self.billionths = billionths
        rest = rest.drop(while: isSpace)
        self.unit = rest.prefix { !isDigit($0) && !isSpace($0) }
        self.rest = rest.dropFirst(unit.count).drop(while: isSpace)
    }

    /// The quantity in a smaller unit, of which this many make one; nil when it overflows.
    func scaled(by factor: Int64) -> Int64? {
        let (main, overflow) = whole.multipliedReportingOverflow(by: factor)
        if overflow { return nil }
        // In two steps, since 10⁹ days of nanoseconds overflow in one.
        let billion: Int64 = 1_000_000_000
        let part = billionths * (factor / billion) + billionths * (factor % billion) / billion
        let (sum, isTooLarge) = main.addingReportingOverflow(part)
        return isTooLarge ? nil : sum
    }
}

extension Duration: TextValue {
    public static var kind: String { "duration" }
    public static var schema: JSON {
        ["type": "string", "pattern": #"^ *([0-9]+(\.[0-9]{1,9})? *(ms|s|min|m|h|d) *)+$"#]
    }

    /// From the largest down, as they follow each other in a text.
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000),
        ("s", 1_000_000_000), ("ms", 1_000_000),
    ]

    /// Reads `500ms`, `10s`, `5m` or `5min`, `1.5h`, `1h30m`, `7d`, with spaces between or around.
    public init(parsing text: String) throws(Refusal) { self = try Self.parse(text, unit: nil) }

    public static func parse(_ text: String, unit: String?) throws(Refusal) -> Duration {
        var rest = text[...]
        var sum: Int64 = 0
        // A unit's place in the list; what follows must be smaller.
        var least = -1
        repeat {
            guard let quantity = Quantity(rest) else {
                throw Refusal(
                    .wrongType, "is not a duration",
                    hint: "write a number and its unit: 500ms, 10s, 5m, 12h, 7d")
            }
            let name = try unitName(of: quantity, in: text, default: unit)
            guard let place = units.firstIndex(where: { $0.name == name }) else {
                throw Refusal(
                    .wrongType, "has an unknown unit \(JSON.quoted(name))",
                    hint: "units: ms, s, m or min, h, d")
            }
            guard place > least else {
                throw Refusal(.wrongType, "is not a duration", hint: "the larger unit comes first")
            }
            least = place
            let (total, overflow) = sum.addingReportingOverflow(
                quantity.scaled(by: units[place].nanoseconds) ?? .max)
            guard !overflow, total < .max else { throw Refusal(.outOfRange, "is too long") }
            sum = total
            rest = quantity.rest
        } while !rest.isEmpty
        return .nanoseconds(sum)
    }

    private static func unitName(
        of quantity: Quantity, in text: String, default unit: String?
    ) throws(Refusal) -> String {
        if quantity.unit == "min" { return "m" }
        if !quantity.unit.isEmpty { return String(quantity.unit) }
        guard let unit else {
            throw Refusal(
                .wrongType, "has no unit", hint: "write \(text)s, \(text)m or \(text)h")
        }
        return unit == "min" ? "m" : unit
    }

    /// The duration from its largest unit down, `1h30m`; less than two days are hours.
    public var text: String {
        let (seconds, attoseconds) = components
        var rest = Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)
        if rest == 0 { return "0s" }
        var text = rest < 0 ? "-" : ""
        if rest < 0 { rest = -rest }
        for (name, nanoseconds) in Self.units {
            let factor = Int128(nanoseconds)
            if name == "d", rest < 2 * factor { continue }
            if name == "ms", rest % factor != 0 { break }
            if rest >= factor { text += "\(rest / factor)\(name)" }
            rest %= factor
        }
        if rest == 0 { return text }
        var fraction = String(rest % 1_000_000)
        fraction = String(repeating: "0", count: 6 - fraction.count) + fraction
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return text + "\(rest / 1_000_000).\(fraction)ms"
    }
}

/// A number of bytes, written with its unit: `64MiB`.
public struct ByteCount: Sendable, Hashable, Comparable {
    /// How many bytes.
    public var bytes: Int

    /// So many bytes.
    public init(bytes: Int) { self.bytes = bytes }

    /// So many times 1,048,576 bytes.
    public static func mebibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 20) }

    /// Orders by size.
    public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
}

extension ByteCount: TextValue {
    public static var kind: String { "byte size" }
    public static var schema: JSON {
        [
            "type": "string",
            "pattern": #"^ *[0-9]+(\.[0-9]{1,9})? *(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB) *$"#,
        ]
    }

    private static let bytesPerUnit: [(unit: String, bytes: Int64)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000),
        ("B", 1),
    ]

    /// Reads `512B`, `64KiB`, `1.5MiB`, `2GB`.
    public init(parsing text: String) throws(Refusal) { self = try Self.parse(text, unit: nil) }

    public static func parse(_ text: String, unit: String?) throws(Refusal) -> ByteCount {
        guard let quantity = Quantity(text[...]), quantity.rest.isEmpty else {
            throw Refusal(
                .wrongType, "is not a byte size",
                hint: "write a number and its unit: 512B, 64KiB, 16MiB, 1GiB")
        }
        let written = quantity.unit.isEmpty ? unit : String(quantity.unit)
        guard let written else {
            throw Refusal(
                .wrongType, "has no unit", hint: "write \(text)B, \(text)KiB or \(text)MiB")
        }
        guard let factor = bytesPerUnit.first(where: { $0.unit == written })?.bytes else {
            throw Refusal(
                .wrongType, "has an unknown unit \(JSON.quoted(written))",
                hint: "units: B, KiB, MiB, GiB, TiB, kB, MB, GB, TB")
        }
        guard let bytes = quantity.scaled(by: factor) else {
            throw Refusal(.outOfRange, "is too large")
        }
        return ByteCount(bytes: Int(bytes))
    }

    /// The size in the largest binary unit that divides it.
    public var text: String {
        if bytes == 0 { return "0B" }
        for (unit, factor) in Self.bytesPerUnit.prefix(4) where bytes % Int(factor) == 0 {
            return "\(bytes / Int(factor))\(unit)"
        }
        return "\(bytes)B"
    }
}

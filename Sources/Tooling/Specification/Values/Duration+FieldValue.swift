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

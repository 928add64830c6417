extension Duration: TextValue {
    public static var kind: String { "duration" }
    public static var schema: JSON {
        ["type": "string", "pattern": #"^[0-9]+(\.[0-9]{1,9})?(ms|s|m|min|h|d)$"#]
    }

    private static let nanosecondsPerUnit: [(unit: String, nanoseconds: Int64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000),
        ("s", 1_000_000_000), ("ms", 1_000_000),
    ]

    /// Reads `500ms`, `10s`, `5m` or `5min`, `1.5h`, `7d`.
    public init(parsing text: String) throws(Refusal) { self = try Self.parse(text, unit: nil) }

    public static func parse(_ text: String, unit: String?) throws(Refusal) -> Duration {
        guard let quantity = Quantity(text) else {
            throw Refusal(
                .wrongType, "is not a duration",
                hint: "write a number and its unit: 500ms, 10s, 5m, 12h, 7d")
        }
        let written = quantity.unit.isEmpty ? unit : String(quantity.unit)
        guard let written else {
            throw Refusal(
                .wrongType, "has no unit", hint: "write \(text)s, \(text)m or \(text)h")
        }
        let name = written == "min" ? "m" : written
        guard let factor = nanosecondsPerUnit.first(where: { $0.unit == name })?.nanoseconds else {
            throw Refusal(
                .wrongType, "has an unknown unit \(JSON.quoted(written))",
                hint: "units: ms, s, m or min, h, d")
        }
        guard let nanoseconds = quantity.scaled(by: factor) else {
            throw Refusal(.outOfRange, "is too long")
        }
        return .nanoseconds(nanoseconds)
    }

    /// The duration in the largest unit that divides it; a single day is `24h`.
    public var text: String {
        let (seconds, attoseconds) = components
        let nanoseconds = Int128(seconds) * 1_000_000_000 + Int128(attoseconds / 1_000_000_000)
        if nanoseconds == 0 { return "0s" }
        for (unit, factor) in Self.nanosecondsPerUnit where nanoseconds % Int128(factor) == 0 {
            let count = nanoseconds / Int128(factor)
            if unit != "d" || count > 1 { return "\(count)\(unit)" }
        }
        var fraction = String(nanoseconds % 1_000_000)
        fraction = String(repeating: "0", count: 6 - fraction.count) + fraction
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(nanoseconds / 1_000_000).\(fraction)ms"
    }
}

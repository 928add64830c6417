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

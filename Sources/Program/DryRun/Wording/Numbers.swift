extension BinaryInteger {
    /// With a comma before each three digits: `28,000`.
    var grouped: String {
        let digits = String(magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return self < 0 ? "−" + text : text
    }

    /// A number and its noun: `1 batch`, `37 batches`.
    func counting(_ singular: String, _ plural: String) -> String {
        "\(grouped) \(self == 1 ? singular : plural)"
    }
}

extension Double {
    /// A share of one in percent, never rounded up: what is nearly all must not read as all.
    var percent: String {
        let hundredths = self * 100
        if hundredths > 0, hundredths < 1 { return "\(Self.decimal(hundredths)) %" }
        return "\(Int(hundredths)) %"
    }

    /// How many times as much: `3.1 ×`, `28 ×`.
    var times: String {
        self < 9.95 ? "\(Self.decimal(self)) ×" : "\(Int(rounded()).grouped) ×"
    }

    /// With its two leading digits, as ratios are given: `28,000`.
    var twoDigits: String {
        if !isFinite { return "∞" }
        if self < 10 { return Self.decimal(self) }
        var unit = 1.0
        while self / unit >= 100 { unit *= 10 }
        return Int((self / unit).rounded() * unit).grouped
    }

    /// With one digit behind the point, unless it is zero.
    private static func decimal(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}

internal import Calendar
internal import PipelineCore

extension BinaryInteger {
    /// With a comma before each three digits: `28,000`.
    package var grouped: String {
        let digits = String(magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return self < 0 ? "−" + text : text
    }

    /// A number and its noun: `1 batch`, `37 batches`.
    package func counting(_ singular: String, _ plural: String) -> String {
        "\(grouped) \(self == 1 ? singular : plural)"
    }
}

extension Double {
    /// A share of one in percent, never rounded up: what is nearly all must not read as all.
    package var percent: String {
        let hundredths = self * 100
        if hundredths > 0, hundredths < 1 { return "\(Self.decimal(hundredths)) %" }
        return "\(Int(hundredths)) %"
    }

    /// How many times as much: `3.1 ×`, `28 ×`.
    package var times: String {
        self < 9.95 ? "\(Self.decimal(self)) ×" : "\(Int(rounded()).grouped) ×"
    }

    /// With its two leading digits, as ratios are given: `28,000`.
    package var twoDigits: String {
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

extension Duration {
    /// The duration as people say it, in one or two units: `340 ms`, `3.1 s`, `11 h 58 min`.
    package var spoken: String {
        let nanoseconds = wholeNanoseconds
        if nanoseconds < 0 { return "−" + Duration.nanoseconds(0 - max(nanoseconds, -.max)).spoken }
        func rounded(to unit: Int64) -> Int64 {
            nanoseconds / unit + (nanoseconds % unit * 2 >= unit ? 1 : 0)
        }
        func pair(_ value: Int64, per larger: Int64, _ names: (String, String)) -> String {
            let (head, rest) = value.quotientAndRemainder(dividingBy: larger)
            return rest == 0 ? "\(head) \(names.0)" : "\(head) \(names.0) \(rest) \(names.1)"
        }
        if nanoseconds == 0 { return "0 s" }
        if nanoseconds < 999_500 { return "\(max(1, rounded(to: 1000))) µs" }
        if nanoseconds < 999_500_000 { return "\(rounded(to: 1_000_000)) ms" }
        let tenths = rounded(to: 100_000_000)
        if tenths < 100 {
            return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
        }
        let seconds = rounded(to: 1_000_000_000)
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3600 { return pair(seconds, per: 60, ("min", "s")) }
        let minutes = rounded(to: 60_000_000_000)
        if minutes < 72 * 60 { return pair(minutes, per: 60, ("h", "min")) }
        return pair(rounded(to: 3_600_000_000_000), per: 24, ("d", "h"))
    }
}

internal import Calendar
internal import PipelineCore

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

extension CivilTime {
    init(_ time: Timestamp) { self.init(microsecondsSinceEpoch: time.microseconds) }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `24 Nov`.
    var day: String { "\(date.day) \(Self.months[Int(date.month) - 1])" }
    /// `06:00:07.250`.
    var milliseconds: String { "\(seconds).\((microsecond / 1000).padded(to: 3))" }
    /// `2026-11-24 06:00`.
    var dateAndMinutes: String { "\(date.text) \(minutes)" }
    /// `2026-11-24T06:00:07.25Z`.
    var rfc3339: String { rfc3339(.shortest) }
}

extension Duration {
    /// The duration as people say it, in one or two units: `340 ms`, `3.1 s`, `11 h 58 min`.
    var spoken: String {
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

extension String {
    /// The text without what would steer a terminal or turn the direction of reading: such
    /// characters appear as escapes, so that a name or a payload can neither colour nor hide.
    var printable: String {
        guard unicodeScalars.contains(where: Self.steers) else { return self }
        var text = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case _ where Self.steers(scalar): text += "\\u{\(String(scalar.value, radix: 16))}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// At most so many characters, the last an ellipsis if any were left out.
    func shortened(to count: Int) -> String {
        self.count <= count ? self : prefix(max(0, count - 1)) + "…"
    }

    private static func steers(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}

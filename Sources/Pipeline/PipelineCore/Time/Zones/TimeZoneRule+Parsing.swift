extension TimeZoneRule {
    /// - Returns: nil for what does not follow the grammar.
    init?(_ text: String) {
        var scanner = Scanner(rest: text.utf8[...])
        guard scanner.skipName(), let offset = scanner.time() else { return nil }
        standardOffset = -offset
        if scanner.rest.isEmpty { return }
        guard scanner.skipName() else { return nil }
        var summerOffset = standardOffset + 3600
        if scanner.rest.first != UInt8(ascii: ",") {
            guard let offset = scanner.time() else { return nil }
            summerOffset = -offset
        }
        guard let start = scanner.change(), let end = scanner.change(), scanner.rest.isEmpty
        else { return nil }
        summer = Summer(offset: summerOffset, start: start, end: end)
    }

    private struct Scanner {
        var rest: Substring.UTF8View

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest.removeFirst()
            return true
        }

        /// Letters, or anything in angle brackets.
        mutating func skipName() -> Bool {
            if skip("<") {
                guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
                rest = rest[rest.index(after: end)...]
                return true
            }
            let letters = rest.prefix { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A }
            rest = rest[letters.endIndex...]
            return letters.count >= 3
        }

        mutating func number(in range: ClosedRange<Int64>) -> Int64? {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            rest = rest[digits.endIndex...]
            guard let number = Int64(String(Substring(digits))), range.contains(number)
            else { return nil }
            return number
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func time() -> Int64? {
            let isNegative = skip("-")
            if !isNegative { _ = skip("+") }
            guard let hours = number(in: 0...167) else { return nil }
            var seconds = hours * 3600
            for unit in [60, 1] as [Int64] where skip(":") {
                guard let part = number(in: 0...59) else { return nil }
                seconds += part * unit
            }
            return isNegative ? -seconds : seconds
        }

        /// `,day[/time]`.
        mutating func change() -> Switch? {
            guard skip(","), let day = day() else { return nil }
            if !skip("/") { return Switch(day: day, time: 7200) }
            return time().map { Switch(day: day, time: $0) }
        }

        private mutating func day() -> Day? {
            if skip("J") { return number(in: 1...365).map(Day.ofYear) }
            if !skip("M") { return number(in: 0...365).map(Day.counted) }
            guard let month = number(in: 1...12), skip("."), let week = number(in: 1...5),
                skip("."), let weekday = number(in: 0...6)
            else { return nil }
            return .ofMonth(month: month, week: week, weekday: weekday)
        }
    }
}

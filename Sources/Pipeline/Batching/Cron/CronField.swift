internal import Specification

/// One of the five fields of a cron expression: which numbers may stand there, and what they are
/// called.
struct CronField: Sendable {
    let name: String
    let range: ClosedRange<Int>
    /// Short names of the numbers from the range's start on.
    var names: [String] = []

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let day = CronField(name: "day-of-month", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: [
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ])
    /// 7 is Sunday as well.
    static let weekday = CronField(
        name: "day-of-week", range: 0...7,
        names: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])

    /// The numbers that a field's text means, as bits.
    func parse(_ text: Substring) throws(Refusal) -> UInt64 {
        var bits: UInt64 = 0
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            bits |= try parse(item: item, in: text)
        }
        // The last bit is Sunday's second.
        return names.first == "SUN" ? (bits | bits >> 7) & 0x7F : bits
    }

    /// `*`, `5`, `MON`, `1-5`, `MON-FRI`, and a step behind `*` or a range: `*/15`, `8-18/2`.
    private func parse(item: Substring, in text: Substring) throws(Refusal) -> UInt64 {
        let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let bounds = parts[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let first: Int
        var last: Int
        if parts[0] == "*" {
            (first, last) = (range.lowerBound, range.upperBound)
        } else {
            first = try number(bounds[0], in: text)
            last = bounds.count == 2 ? try number(bounds[1], in: text) : first
            // Up to Sunday is up to the end of the week.
            if bounds.count == 2, names.first == "SUN", first > 0, last == 0 { last = 7 }
        }
        guard first <= last else {
            throw refusal("with a range that runs backwards", of: text)
        }
        guard parts.count == 2 else { return Self.bits(first, last, step: 1) }
        guard let step = Self.plainNumber(parts[1]), step > 0 else {
            throw refusal("with a step that is not a number above zero", of: text)
        }
        guard parts[0] == "*" || bounds.count == 2 else {
            throw Refusal(
                .invalidValue,
                "has \(JSON.quoted(String(text))) as its \(name), a step without a range",
                hint: "write \(first)-\(range.upperBound)/\(step)")
        }
        return Self.bits(first, last, step: step)
    }

    private static func bits(_ first: Int, _ last: Int, step: Int) -> UInt64 {
        stride(from: first, through: last, by: step).reduce(0) { $0 | 1 << UInt64($1) }
    }

    /// Digits only, and few enough for an `Int`.
    private static func plainNumber(_ text: Substring) -> Int? {
        guard text.utf8.count <= 9, text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int(text)
    }

    private func number(_ text: Substring, in field: Substring) throws(Refusal) -> Int {
        if let number = Self.plainNumber(text) {
            if range.contains(number) { return number }
            throw Refusal(
                .outOfRange,
                "has \(JSON.quoted(String(field))) as its \(name), which is out of range",
                hint: "\(name): \(range.lowerBound) to \(range.upperBound)")
        }
        if let index = names.firstIndex(of: text.uppercased()) { return range.lowerBound + index }
        throw refusal("", of: field, word: String(text))
    }

    private func refusal(_ fault: String, of text: Substring, word: String? = nil) -> Refusal {
        let numbers = "\(range.lowerBound) to \(range.upperBound)"
        var hint = "\(name): * or \(numbers)"
        if let first = names.first, let last = names.last { hint += " or \(first) to \(last)" }
        hint += ", lists (1,3), ranges (1-3), steps (*/2)"
        if let word, let nearest = Suggestion.nearest(to: word, among: names) {
            hint = "did you mean \(JSON.quoted(nearest))? (\(hint))"
        }
        let quoted = JSON.quoted(String(text))
        return Refusal(
            .invalidValue,
            "has \(quoted) as its \(name)" + (fault.isEmpty ? ", which is not one" : ", \(fault)"),
            hint: hint)
    }
}

/// A point of time as people write it: `2026-01-31T09:00:00.000001Z`
/// ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), UTC).
struct CivilTime: CustomStringConvertible {
    /// Microseconds since 1970-01-01T00:00:00Z.
    var microseconds: Int64

    var description: String {
        let (days, ofDay) = Self.floorDivide(microseconds, 86_400_000_000)
        let (year, month, day) = Self.date(daysSinceEpoch: days)
        let seconds = ofDay / 1_000_000
        return Self.padded(year, 4) + "-" + Self.padded(month, 2) + "-" + Self.padded(day, 2) + "T"
            + Self.padded(seconds / 3600, 2) + ":" + Self.padded(seconds / 60 % 60, 2) + ":"
            + Self.padded(seconds % 60, 2) + "." + Self.padded(ofDay % 1_000_000, 6) + "Z"
    }

    /// The proleptic Gregorian date, counted in eras of 400 years that begin on the first of March
    /// ([algorithm](https://howardhinnant.github.io/date_algorithms.html#civil_from_days)).
    private static func date(daysSinceEpoch: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivide(daysSinceEpoch + 719_468, 146_097)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

internal import PipelineCore

/// A point of civil time (UTC) in its parts.
struct CivilClock {
    let date: CivilDate
    /// Seconds since midnight.
    let secondOfDay: Int64
    private let microsecond: Int64

    init(_ time: Timestamp) {
        let (seconds, microsecond) = time.microseconds.flooredDivision(by: 1_000_000)
        let (days, second) = seconds.flooredDivision(by: 86_400)
        date = CivilDate(daysSinceEpoch: days)
        secondOfDay = second
        self.microsecond = microsecond
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// `24 Nov`.
    var day: String { "\(date.day) \(Self.months[Int(date.month) - 1])" }
    /// `06:00`.
    var minutes: String { "\(Self.two(secondOfDay / 3600)):\(Self.two(secondOfDay / 60 % 60))" }
    /// `06:00:07`.
    var seconds: String { "\(minutes):\(Self.two(secondOfDay % 60))" }
    /// `06:00:07.250`.
    var milliseconds: String { "\(seconds).\(Self.digits(microsecond / 1000, 3))" }
    /// `2026-11-24 06:00`.
    var dateAndMinutes: String { "\(isoDate) \(minutes)" }

    /// `2026-11-24T06:00:07.25Z`, see [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339).
    var rfc3339: String {
        var fraction = microsecond == 0 ? "" : "." + Self.digits(microsecond, 6)
        while fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(isoDate)T\(seconds)\(fraction)Z"
    }

    private var isoDate: String {
        "\(Self.digits(date.year, 4))-\(Self.two(date.month))-\(Self.two(date.day))"
    }

    private static func two(_ value: Int64) -> String { digits(value, 2) }
    private static func digits(_ value: Int64, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}

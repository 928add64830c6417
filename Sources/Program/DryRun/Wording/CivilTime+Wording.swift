internal import Calendar
internal import PipelineCore

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

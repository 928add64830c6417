internal import Calendar
public import PipelineCore

/// The ticks of a cron expression on the clocks of a time zone.
///
/// Where clocks are put forward, times that are skipped tick once, together, when the gap is over.
/// Where they are put back, a time that comes twice ticks the first time only. An expression of every
/// hour (`*/15 * * * *`) follows the time that passes instead: it has nothing to make up for after a
/// gap, and goes on ticking in the hour that is repeated. All as in
/// [cron(8)](https://manpages.debian.org/bookworm/cron/cron.8.en.html).
public struct CronSchedule: Sendable, Hashable {
    public let expression: CronExpression
    public let zone: TimeZone

    public init(_ expression: CronExpression, in zone: TimeZone = .utc) {
        self.expression = expression
        self.zone = zone
    }

    /// How far ahead a tick is looked for: leap days are at most eight years apart.
    private static let horizon: Int64 = 9 * 366 * 86_400

    /// The first tick after an instant (never that instant itself).
    ///
    /// - Returns: nil when there is none within nine years.
    public func next(after instant: Timestamp) -> Timestamp? {
        let after = instant.microseconds.flooredDivision(by: 1_000_000).quotient
        return tick(after: after).map { Timestamp(microseconds: $0 * 1_000_000) }
    }

    /// In seconds since 1970-01-01T00:00:00Z.
    func tick(after second: Int64) -> Int64? {
        let limit = second + Self.horizon
        var period = zone.period(at: second)
        var from = second + 1
        while from < limit {
            let shift = period.offset - period.previousOffset
            if from == period.start, shift > 0, !expression.isEveryHour,
                let skipped = localTime(from: from + period.previousOffset),
                skipped < from + period.offset
            {
                return from
            }
            var start = from + period.offset
            if shift < 0, !expression.isEveryHour {
                // The clock has shown times before this one already.
                start = max(start, period.start + period.previousOffset)
            }
            let end = min(period.end, limit)
            if let local = localTime(from: start, before: end + period.offset) {
                return local - period.offset
            }
            guard period.end < limit else { return nil }
            from = period.end
            period = zone.period(at: from)
        }
        return nil
    }

    /// The first time on the local clock that the expression names, in seconds of that clock.
    private func localTime(from start: Int64, before end: Int64? = nil) -> Int64? {
        let end = end ?? start + Self.horizon
        let minute = (start + 59).flooredDivision(by: 60).quotient
        var (day, first) = minute.flooredDivision(by: 1440)
        while day * 86_400 < end {
            if expression.includes(day: day), let minute = expression.minute(from: first) {
                let time = day * 86_400 + minute * 60
                return time < end ? time : nil
            }
            day += 1
            first = 0
        }
        return nil
    }
}

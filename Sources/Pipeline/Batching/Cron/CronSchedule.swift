internal import Calendar
public import PipelineCore

/// The ticks of a cron expression on the clocks of a time zone.
///
/// Where clocks are put forward, times that are skipped tick once, together, when the gap is over.
/// Where they are put back, a time that comes twice ticks the first time only. An expression of
/// every hour (`*/15 * * * *`) follows the time that passes instead: it has nothing to make up for
/// after a gap, and goes on ticking in the hour that is repeated. All as in
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
    private func tick(after second: Int64) -> Int64? {
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

extension CronSchedule {
    /// The longest time between two ticks, changes of the clock included, as the zone's rules are
    /// from 2024 to 2032: no case waits longer for a tick.
    public var longestGap: Duration {
        let start = CivilDate(year: 2024, month: 1, day: 1).daysSinceEpoch * 86_400
        let end = CivilDate(year: 2033, month: 1, day: 1).daysSinceEpoch * 86_400
        guard var last = tick(after: start) else { return .seconds(Int64.max) }
        let (span, largestStep) = day
        var longest = largestStep
        while last < end {
            // The rest of a day whose clock is not touched is the same every day.
            let isFirstOfDay = minuteOfDay(last) == expression.minute(from: 0)
            if isFirstOfDay, zone.period(at: last) == zone.period(at: last + span) { last += span }
            guard let next = tick(after: last) else { return .seconds(Int64.max) }
            longest = max(longest, next - last)
            last = next
        }
        return .seconds(longest)
    }

    private func minuteOfDay(_ second: Int64) -> Int64 {
        let local = second + zone.period(at: second).offset
        return local.flooredDivision(by: 86_400).remainder / 60
    }

    /// From the first tick of an untouched day to its last, and the largest step between; seconds.
    private var day: (span: Int64, largestStep: Int64) {
        guard let first = expression.minute(from: 0) else { return (0, 0) }
        var (last, largest) = (first, 0 as Int64)
        while let next = expression.minute(from: last + 1) {
            largest = max(largest, next - last)
            last = next
        }
        return ((last - first) * 60, largest * 60)
    }
}

/// The ticks of several schedules and periods, taken together.
struct MergedTicks {
    private var sources: [Source]

    private struct Source {
        var trigger: Trigger
        /// The instant that it was last asked about, and its first tick after that.
        var asked: Timestamp?
        var next: Timestamp?

        mutating func ask(after instant: Timestamp) {
            asked = instant
            next = trigger.tick(after: instant)
        }
    }

    /// Nil unless there are at least two.
    init?(of triggers: [Trigger]) {
        sources = triggers.filter(\.isTick).map { Source(trigger: $0) }
        if sources.count < 2 { return nil }
    }

    /// The longest time between two ticks, whichever they are, from 2024 to 2032.
    ///
    /// - Parameter bound: a bound that is known; it is the answer where it is too short to be worth
    ///   the effort.
    mutating func longestGap(within bound: Duration) -> Duration {
        if bound <= .minutes(30) { return bound }
        let day: Int64 = 86_400_000_000
        let start = CivilDate(year: 2024, month: 1, day: 1).daysSinceEpoch * day
        let end = CivilDate(year: 2033, month: 1, day: 1).daysSinceEpoch * day
        guard var last = next(after: Timestamp(microseconds: start)) else { return bound }
        var longest = Duration.zero
        while last.microseconds < end {
            // Between two ticks that are close enough no gap is longer than what is known.
            if let far = next(after: last.advanced(by: longest / 2)),
                last.duration(to: far) <= longest
            {
                last = far
                continue
            }
            guard let next = next(after: last) else { return bound }
            longest = max(longest, last.duration(to: next))
            last = next
        }
        return min(longest, bound)
    }

    private mutating func next(after instant: Timestamp) -> Timestamp? {
        for index in sources.indices {
            let isKnown = sources[index].asked.map { $0 <= instant } ?? false
            if isKnown, let next = sources[index].next, next > instant { continue }
            sources[index].ask(after: instant)
        }
        return sources.compactMap(\.next).min()
    }
}

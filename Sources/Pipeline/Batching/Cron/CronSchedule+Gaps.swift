internal import Calendar
internal import PipelineCore

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

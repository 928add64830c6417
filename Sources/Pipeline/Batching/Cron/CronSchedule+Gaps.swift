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

internal import Calendar
internal import PipelineCore

/// A labelled instant of an axis.
struct AxisTick: Sendable, Equatable {
    /// Since the axis' left end.
    var at: Duration
    var label: String
}

extension TimeAxis {
    /// Round civil times, evenly apart: midnights are named by their day.
    func ticks(atMost most: Int) -> [AxisTick] {
        let step = RoundDurations.step(for: length, in: most)
        let stride = max(1, step.wholeMicroseconds)
        let past = start.microseconds.flooredDivision(by: stride).remainder
        var at: Duration = .microseconds(past == 0 ? 0 : stride - past)
        var ticks: [AxisTick] = []
        while at <= length {
            ticks.append(AxisTick(at: at, label: label(at, step: step)))
            at += step
        }
        return ticks
    }

    private func label(_ instant: Duration, step: Duration) -> String {
        let clock = CivilTime(start.advanced(by: instant))
        if step >= .seconds(86_400) || clock.secondOfDay == 0 && step >= .seconds(60) {
            return clock.day
        }
        if step >= .seconds(60) { return clock.minutes }
        return step >= .seconds(1) ? clock.seconds : clock.milliseconds
    }

    /// An instant, as exact as the axis is fine: `24 Nov 06:00`.
    func moment(_ instant: Duration) -> String {
        let clock = CivilTime(start.advanced(by: instant))
        if slot >= .seconds(60) { return "\(clock.day) \(clock.minutes)" }
        return slot >= .seconds(1) ? "\(clock.day) \(clock.seconds)" : clock.milliseconds
    }
}

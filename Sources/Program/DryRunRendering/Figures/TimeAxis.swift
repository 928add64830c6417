internal import DryRunReport
internal import Calendar
internal import PipelineCore

/// Virtual time from the trace's start on, cut into equal slots of a round length.
struct TimeAxis: Sendable, Equatable {
    /// The civil time at its left end.
    let start: Timestamp
    let slot: Duration
    let count: Int

    /// What it covers.
    var length: Duration { slot * count }

    /// - Parameters:
    ///   - needed: What has to fit on it; the last slot may stand out beyond.
    ///   - most: The most slots, at least one.
    init(start: Timestamp, covering needed: Duration, atMost most: Int) {
        let needed = max(needed, .milliseconds(1))
        self.start = start
        slot = RoundDurations.slot(for: needed, in: most)
        count = min(max(1, Int((needed / slot).rounded(.up))), most)
    }

    /// When a slot begins.
    func beginning(of index: Int) -> Duration { slot * index }

    /// Where an instant lies, from 0 at the left to 1 at the right.
    func fraction(of instant: Duration) -> Double { min(max(0, instant / length), 1) }

    /// How many instants, ascending, lie in each slot.
    func histogram(_ instants: [Duration]) -> [Int] {
        var before = 0
        return (0..<count).map { index in
            let end = beginning(of: index + 1)
            let upTo =
                index == count - 1
                ? instants.count : instants.partitioningIndex { $0 >= end }
            defer { before = upTo }
            return upTo - before
        }
    }
}

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

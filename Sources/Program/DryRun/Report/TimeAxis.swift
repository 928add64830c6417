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

/// Lengths of time that people count in.
enum RoundDurations {
    private static let milliseconds: [Int64] = [1, 2, 5, 10, 20, 50, 100, 200, 500]
    private static let seconds: [Int64] = [1, 2, 3, 5, 10, 15, 20, 30]
    private static let minutes: [Int64] = [1, 2, 3, 5, 10, 15, 20, 30]
    private static let hours: [Int64] = [1, 2, 3, 4, 6, 8, 12]
    private static let days: [Int64] = [1, 2, 3, 5, 7, 10, 14, 30, 60, 90, 180, 365]

    /// Ascending.
    static let steps: [Duration] =
        milliseconds.map { .milliseconds($0) } + seconds.map { .seconds($0) }
        + minutes.map { .seconds($0 * 60) } + hours.map { .seconds($0 * 3600) }
        + days.map { .seconds($0 * 86_400) }

    /// Also lengths that divide an hour or two but make poor labels.
    private static let slots = (steps + [.seconds(2400), .seconds(2700), .seconds(5400)]).sorted()

    /// The shortest round slot of which so many cover a length.
    static func slot(for length: Duration, in most: Int) -> Duration {
        shortest(of: slots, for: length, in: most)
    }

    /// The shortest round step between labels of which so many fit.
    static func step(for length: Duration, in most: Int) -> Duration {
        shortest(of: steps, for: length, in: most)
    }

    private static func shortest(
        of steps: [Duration], for length: Duration, in most: Int
    ) -> Duration {
        if let step = steps.first(where: { $0 * max(1, most) >= length }) { return step }
        let year = steps[steps.count - 1]
        return year * max(1, Int((length / (year * max(1, most))).rounded(.up)))
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

/// What happened in each slot of an axis.
struct Timeline: Sendable {
    let axis: TimeAxis
    /// Messages that arrived.
    let arrivals: [Int]
    /// The most cases that were open.
    let open: [Int]
    /// Batches that were sealed, by trigger, the most frequent first.
    let firings: [(trigger: String, batches: [Int])]

    init(_ report: SimulationReport, on axis: TimeAxis) {
        self.axis = axis
        arrivals = axis.histogram(report.arrivals)
        open = OpenCases(report).spans(on: axis).map(\.most)
        firings = report.batchesByTrigger.map { trigger, _ in
            let seals = report.batches.filter { $0.closedBy == trigger }.map(\.sealedAt)
            return (trigger, axis.histogram(seals))
        }
    }

    /// An axis on which these simulations fit, from the start to the last answer.
    static func axis(for reports: [SimulationReport], atMost most: Int) -> TimeAxis {
        let needed = reports.map { report in
            max(
                report.traceLength, report.arrivals.last ?? .zero,
                report.batches.map(\.generation.upperBound).max() ?? .zero)
        }
        return TimeAxis(
            start: reports.first?.start ?? Timestamp(microseconds: 0),
            covering: needed.max() ?? .zero, atMost: most)
    }
}

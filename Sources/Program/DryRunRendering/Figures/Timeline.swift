internal import Calendar
internal import DryRunReport
internal import PipelineCore

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

/// How many cases wait in the open batch, at every instant of a simulation.
struct OpenCases {
    /// When cases arrived, ascending.
    private let arrivals: [Duration]
    /// When batches were sealed, ascending, with how many cases all up to this one hold.
    private let seals: [(at: Duration, total: Int)]

    /// How full the open batch was over a span.
    struct Span: Equatable {
        var first: Int
        var least: Int
        var most: Int
        var last: Int
        /// Whether the most came before the least: the batch was sealed in between.
        var isFalling: Bool
    }

    init(_ report: SimulationReport) {
        arrivals = report.cases
        var total = 0
        seals = report.batches.map {
            total += $0.cases.count
            return ($0.sealedAt, total)
        }
    }

    /// The spans between an axis' slots, each with the seals inside it.
    func spans(on axis: TimeAxis) -> [Span] {
        (0..<axis.count).map {
            span(from: axis.beginning(of: $0), to: axis.beginning(of: $0 + 1))
        }
    }

    private func span(from start: Duration, to end: Duration) -> Span {
        let open = arrived(before: start) - sealed(before: start)
        var span = Span(
            first: max(0, open), least: max(0, open), most: max(0, open), last: 0, isFalling: false)
        for index in index(of: start)..<index(of: end) {
            // Cases that arrive in the instant of a seal belong to it.
            let arrived = arrived(through: seals[index].at)
            span.see(arrived - (index == 0 ? 0 : seals[index - 1].total))
            span.see(arrived - seals[index].total)
        }
        span.last = max(0, arrived(before: end) - sealed(before: end))
        span.see(span.last)
        return span
    }

    private func arrived(before instant: Duration) -> Int {
        arrivals.partitioningIndex { $0 >= instant }
    }
    private func arrived(through instant: Duration) -> Int {
        arrivals.partitioningIndex { $0 > instant }
    }
    private func index(of instant: Duration) -> Int { seals.partitioningIndex { $0.at >= instant } }
    private func sealed(before instant: Duration) -> Int {
        let index = index(of: instant)
        return index == 0 ? 0 : seals[index - 1].total
    }
}

extension OpenCases.Span {
    fileprivate mutating func see(_ open: Int) {
        let open = max(0, open)
        if open > most {
            most = open
            isFalling = false
        }
        if open < least {
            least = open
            isFalling = true
        }
    }
}

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

/// Waits counted in bins of a round width; none spans the SLA, so that late cases stand apart.
struct WaitHistogram: Sendable {
    struct Bin: Sendable, Equatable {
        var range: Range<Duration>
        var cases: Int
        var isLate: Bool
    }
    let bins: [Bin]

    /// - Parameters:
    ///   - waits: Ascending.
    ///   - longest: The longest wait of whatever this is compared with, for equal bins; its own by
    ///     default.
    ///   - most: About how many bins there may be.
    init(_ waits: [Duration], sla: Duration, longest: Duration = .zero, atMost most: Int) {
        let longest = max(longest, waits.last ?? .zero, .milliseconds(1))
        let width = RoundDurations.step(for: longest, in: most)
        var bins: [Bin] = []
        var (start, before, number) = (Duration.zero, 0, 1)
        while before < waits.count {
            var end = width * number
            if start < sla, end >= sla { end = sla }
            if end < sla || end == width * number { number += 1 }
            let isLate = start >= sla
            // A wait as long as the SLA is in time, so its bin is closed on the right.
            let upTo = waits.partitioningIndex { end == sla ? $0 > end : $0 >= end }
            bins.append(Bin(range: start..<end, cases: upTo - before, isLate: isLate))
            (start, before) = (end, upTo)
        }
        self.bins = bins
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
    private static let steps: [Duration] =
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

internal import DryRunReport
internal import PipelineCore

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

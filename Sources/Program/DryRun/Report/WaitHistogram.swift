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

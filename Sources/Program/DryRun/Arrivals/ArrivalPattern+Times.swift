internal import Glibc
internal import PipelineCore

extension ArrivalPattern {
    /// How far the busiest hour lies above the mean, and the quietest below.
    private static let swing = 0.8
    private static let busiestHour = 16.0

    /// The instants of the arrivals, ascending, from the start of the trace.
    ///
    /// - Parameter start: when the trace starts; the hour of the day counts for `daily`.
    func times(startingAt start: Timestamp, _ random: RandomSource) -> [Duration] {
        switch law {
        case .uniform, .burst:
            let total = Int(count.rounded())
            return (0..<total).map { from + length * (Double($0) / Double(total)) }
        case .poisson:
            return poisson(perSecond: count / length.inSeconds, random)
        case .daily:
            let mean = count / length.inSeconds
            let peak = mean * (1 + Self.swing)
            // Thinning: of arrivals at the peak's rate, those stay that the hour's rate allows.
            return poisson(perSecond: peak, random).filter { time in
                let hour =
                    Double(start.advanced(by: time).microseconds % 86_400_000_000) / 3.6e9
                let rate = mean * (1 + Self.swing * cos((hour - Self.busiestHour) / 12 * .pi))
                return random.unit() * peak < rate
            }
        }
    }

    private func poisson(perSecond rate: Double, _ random: RandomSource) -> [Duration] {
        var times: [Duration] = []
        var time = 0.0
        let limit = length.inSeconds
        while times.count < Self.limit * 2 {
            time -= log(1 - random.unit()) / rate
            if time >= limit { break }
            times.append(from + .nanoseconds(Int64(time * 1e9)))
        }
        return times
    }
}

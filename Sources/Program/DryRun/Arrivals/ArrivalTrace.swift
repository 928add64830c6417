public import PipelineCore

/// Messages with the instants at which they arrive, in order.
public struct ArrivalTrace: Sendable {
    public struct Arrival: Sendable {
        /// From the start of the trace.
        public var at: Duration
        public var message: OutgoingRecord
        public init(at: Duration, message: OutgoingRecord) {
            self.at = at
            self.message = message
        }
    }
    /// When the trace starts, in civil time.
    public var start: Timestamp
    public var length: Duration
    /// Ascending in time.
    public var arrivals: [Arrival]
    /// Where the trace comes from, a sentence without a full stop.
    public var origin: String
    public init(start: Timestamp, length: Duration, arrivals: [Arrival], origin: String) {
        self.start = start
        self.length = length
        self.arrivals = arrivals
        self.origin = origin
    }
}

/// What made-up arrivals are like.
public struct ArrivalMix: Sendable {
    public var patterns: [ArrivalPattern]
    /// Share of arrivals that repeat one of the last hundred.
    public var repeats = 0.0
    /// Share of arrivals that no codec can read.
    public var malformed = 0.0
    public var seed: UInt64 = 1
    public init(patterns: [ArrivalPattern]) { self.patterns = patterns }
}

extension ArrivalTrace {
    /// Made-up arrivals.
    ///
    /// - Parameter sample: makes a payload that a request or event made at that time could have.
    public init(
        _ mix: ArrivalMix, startingAt start: Timestamp,
        sample: @Sendable (RandomSource, Timestamp) -> Bytes
    ) {
        let random = RandomSource(seed: mix.seed)
        var times = mix.patterns.flatMap { $0.times(startingAt: start, random) }
        if mix.patterns.count > 1 { times.sort() }
        var arrivals: [Arrival] = []
        arrivals.reserveCapacity(times.count)
        for time in times {
            let message: OutgoingRecord
            if random.unit() < mix.repeats, let earlier = Self.recent(arrivals, random) {
                message = earlier
            } else {
                var payload = sample(random, start.advanced(by: time))
                // A message cut off in the middle.
                if random.unit() < mix.malformed { payload = payload.prefix(payload.count / 2) }
                message = OutgoingRecord(key: nil, payload: payload)
            }
            arrivals.append(Arrival(at: time, message: message))
        }
        self.init(
            start: start, length: mix.patterns.map(\.end).max() ?? .zero, arrivals: arrivals,
            origin: Self.described(mix))
    }

    private static func recent(_ arrivals: [Arrival], _ random: RandomSource) -> OutgoingRecord? {
        if arrivals.isEmpty { return nil }
        return arrivals[arrivals.count - 1 - random.below(min(100, arrivals.count))].message
    }

    private static func described(_ mix: ArrivalMix) -> String {
        var text = "arrivals: " + mix.patterns.map(\.text).joined(separator: " + ")
        if mix.repeats > 0 { text += ", \(percent(mix.repeats)) of them repeats" }
        if mix.malformed > 0 { text += ", \(percent(mix.malformed)) unreadable" }
        return text + " (made up, seed \(mix.seed))"
    }

    private static func percent(_ share: Double) -> String {
        let tenths = Int((share * 1000).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10) %" : "\(tenths / 10).\(tenths % 10) %"
    }
}

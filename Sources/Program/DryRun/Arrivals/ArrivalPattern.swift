public import ConfigurationFields
internal import Glibc
internal import PipelineCore

/// A law by which messages arrive, as people write it: `poisson 200/h for 24h`.
public struct ArrivalPattern: TextValue, Sendable, Hashable {
    /// How arrivals spread over the time of a pattern.
    public enum Law: String, Sendable, CaseIterable {
        /// Independently of each other: intervals are exponentially distributed.
        case poisson
        /// At equal intervals.
        case uniform
        /// As `poisson`, with a rhythm: busiest at 16:00 UTC, quietest at 04:00, mean as stated.
        case daily
        /// All at once, or evenly over a short time.
        case burst
    }

    public static let kind = "arrival pattern"
    /// Most arrivals of one pattern.
    static let limit = 5_000_000
    static let forms =
        "poisson 200/h for 24h; uniform 10/min for 2h from 6h; daily 5000/d for 7d; burst 1000 at 9h over 1min"

    public let law: Law
    /// Arrivals expected altogether; exact for `uniform` and `burst`.
    public let count: Double
    /// When it begins, from the start of the trace.
    public let from: Duration
    public let length: Duration
    /// As it was written.
    public let text: String

    public var end: Duration { from + length }

    /// What arrives when nothing else is said: 200 an hour for a day.
    public static var usualDay: ArrivalPattern {
        guard let pattern = try? ArrivalPattern(parsing: "poisson 200/h for 24h") else {
            preconditionFailure("the usual day is a pattern")
        }
        return pattern
    }

    public init(parsing text: String) throws(Refusal) {
        var words = text.split(separator: " ")[...]
        guard let first = words.popFirst(), let law = Law(rawValue: String(first)),
            let amount = words.popFirst()
        else { throw Self.refusal("is no arrival pattern") }
        var settings: [Substring: Duration] = [:]
        while let name = words.popFirst() {
            guard Self.settings(of: law).contains(String(name)), settings[name] == nil,
                let value = words.popFirst()
            else { throw Self.refusal("has an unexpected \"\(name)\"") }
            settings[name] = try Duration(parsing: String(value))
        }
        self.law = law
        self.text = text
        if law == .burst {
            count = try Self.number(amount)
            from = settings["at"] ?? .zero
            length = settings["over"] ?? .zero
        } else {
            guard let duration = settings["for"] else {
                throw Self.refusal("does not say for how long")
            }
            count = try Self.rate(amount) * duration.inSeconds
            from = settings["from"] ?? .zero
            length = duration
        }
        guard count >= 1, count <= Double(Self.limit) else {
            throw Refusal(
                .outOfRange, "means \(count.rounded()) arrivals",
                hint: "a pattern has between 1 and \(Self.limit)")
        }
    }

    private static func settings(of law: Law) -> Set<String> {
        law == .burst ? ["at", "over"] : ["for", "from"]
    }

    private static func number(_ text: Substring) throws(Refusal) -> Double {
        guard let number = Double(text), number.isFinite, number > 0 else {
            throw refusal("has \"\(text)\" for a number")
        }
        return number
    }

    /// Arrivals a second.
    private static func rate(_ text: Substring) throws(Refusal) -> Double {
        let units: [Substring: Double] = [
            "s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "day": 86_400,
        ]
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let seconds = units[parts[1]] else {
            throw refusal("has \"\(text)\" for a rate", "write 200/h; units: s, min, h, d")
        }
        return try number(parts[0]) / seconds
    }

    private static func refusal(_ message: String, _ hint: String? = nil) -> Refusal {
        Refusal(.invalidValue, message, hint: hint ?? "write for example: \(forms)")
    }
}

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

public import PipelineCore

/// Bounded exponential back-off with equal jitter: half of each pause is fixed, the other half random.
public struct RetryPolicy: Sendable {
    /// The longest first pause; half of it is the shortest.
    public var first: Duration
    /// No pause is longer.
    public var longest: Duration
    public init(first: Duration = .milliseconds(100), longest: Duration = .seconds(30)) {
        self.first = first
        self.longest = longest
    }

    /// The pause after the `attempt`th failure, counted from 1.
    public func pause(after attempt: Int, random: RandomSource) -> Duration {
        var pause = first
        var failures = 1
        while failures < attempt, pause < longest {
            pause = min(pause * 2, longest)
            failures += 1
        }
        return pause * (0.5 + 0.5 * random.unit())
    }
}

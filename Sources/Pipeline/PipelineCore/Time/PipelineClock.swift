internal import Calendar

/// A point on a monotonic clock, in nanoseconds since an origin of its own.
public struct Instant: InstantProtocol, Sendable {
    public var nanoseconds: Int64
    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }
    public func advanced(by duration: Duration) -> Instant {
        let (sum, overflow) = nanoseconds.addingReportingOverflow(duration.wholeNanoseconds)
        return Instant(nanoseconds: overflow ? .max : sum)
    }
    public func duration(to other: Instant) -> Duration {
        .nanoseconds(other.nanoseconds - nanoseconds)
    }
    public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }
}

/// Where time comes from: the machine, or a simulated world.
public protocol TimeSource: Sendable {
    /// Monotonic time.
    var now: Instant { get }
    /// Civil time.
    var timestamp: Timestamp { get }
    /// - Throws: `CancellationError` when the task is cancelled first.
    func sleep(until deadline: Instant) async throws
}

/// One clock type for production and simulation, so that nothing needs a generic parameter.
public struct PipelineClock: Clock {
    private let source: any TimeSource
    public init(_ source: any TimeSource) { self.source = source }
    public var now: Instant { source.now }
    /// Civil time, as this process sees it; a ledger's decisions use the store's clock instead.
    public var timestamp: Timestamp { source.timestamp }
    public var minimumResolution: Duration { .nanoseconds(1) }
    public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        try await source.sleep(until: deadline)
    }
    public func sleep(for duration: Duration) async throws {
        try await source.sleep(until: now.advanced(by: duration))
    }
}

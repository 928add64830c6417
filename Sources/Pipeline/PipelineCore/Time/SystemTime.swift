internal import Calendar
internal import Glibc

/// The machine's clocks.
public struct SystemTime: TimeSource {
    private let origin = ContinuousClock.now
    public init() {}

    public var now: Instant {
        Instant(nanoseconds: origin.duration(to: .now).wholeNanoseconds)
    }

    public var timestamp: Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(
            microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    public func sleep(until deadline: Instant) async throws {
        try await ContinuousClock().sleep(
            until: origin.advanced(by: .nanoseconds(deadline.nanoseconds)))
    }
}

extension PipelineClock {
    /// The machine's clock.
    public static var system: PipelineClock { PipelineClock(SystemTime()) }
}

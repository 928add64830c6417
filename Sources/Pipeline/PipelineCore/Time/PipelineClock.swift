public import Concurrency
internal import Calendar
internal import Synchronization

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

/// The machine's clocks.
public struct SystemTime: TimeSource {
    private let origin = ContinuousClock.now
    public init() {}

    public var now: Instant {
        Instant(nanoseconds: origin.duration(to: .now).wholeNanoseconds)
    }

    public var timestamp: Timestamp {
        Timestamp(microseconds: CivilTime.microsecondsNow)
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

extension Signal {
    /// Returns when it is sent next or at `deadline`, whichever comes first.
    /// - Throws: `CancellationError`.
    public func wait(until deadline: Instant, clock: PipelineClock) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await clock.sleep(until: deadline) }
            group.addTask { try await self.wait() }
            try await group.next()
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
        try Task.checkCancellation()
    }
}

/// Randomness that can be injected: jitter and identifiers come from here, so that a seed repeats a
/// run.
public final class RandomSource: Sendable {
    private let generator: Mutex<SplitMix64>

    /// A sequence that `seed` decides.
    public init(seed: UInt64) { generator = Mutex(SplitMix64(seed: seed)) }

    /// A sequence seeded by the operating system.
    public convenience init() {
        var system = SystemRandomNumberGenerator()
        self.init(seed: system.next())
    }

    public func next() -> UInt64 { generator.withLock { $0.next() } }
    /// Uniform in 0 ..< 1.
    public func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
    /// Uniform in 0 ..< bound.
    public func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
    }
    /// A random (version 4) identifier.
    public func uuid() -> UUID { generator.withLock { UUID(using: &$0) } }
}

/// SplitMix64 ([reference](https://prng.di.unimi.it/splitmix64.c)): small, fast, and good enough
/// for jitter and tests.
public struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64
    public init(seed: UInt64) { state = seed }
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
    /// Uniform in 0 ..< 1.
    public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}

/// A point of civil time: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
public struct Timestamp: Sendable, Hashable, Comparable {
    public var microseconds: Int64
    public init(microseconds: Int64) { self.microseconds = microseconds }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

    /// 1970-01-01T00:00:00Z. Of a record: nobody says when it was produced.
    public static var epoch: Timestamp { Timestamp(microseconds: 0) }

    /// Drops what is less than a microsecond; saturates at the ends of time.
    public func advanced(by duration: Duration) -> Timestamp {
        let (sum, overflow) = microseconds.addingReportingOverflow(duration.wholeMicroseconds)
        return Timestamp(microseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    /// Saturates.
    public func duration(to other: Timestamp) -> Duration {
        let (between, overflow) = other.microseconds.subtractingReportingOverflow(microseconds)
        return .microseconds(overflow ? (other < self ? .min : .max) : between)
    }

    /// RFC 3339, in UTC, without the part of a second: `2026-11-27T14:05:00Z`.
    public var toSeconds: String {
        let part = microseconds.flooredDivision(by: 1_000_000).remainder
        return CivilTime(microsecondsSinceEpoch: microseconds - part)
            .rfc3339(.microsecondsUnlessZero)
    }
}

extension Duration {
    /// Seconds with their fraction, for metrics and logs.
    public var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
    public static func hours(_ hours: Int64) -> Duration { .seconds(hours * 3600) }
    public static func minutes(_ minutes: Int64) -> Duration { .seconds(minutes * 60) }
}

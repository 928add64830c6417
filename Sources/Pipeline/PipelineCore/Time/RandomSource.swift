internal import Synchronization

/// Randomness that can be injected: jitter and identifiers come from here, so that a seed repeats a run.
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

/// SplitMix64 ([reference](https://prng.di.unimi.it/splitmix64.c)): small, fast, and good enough for jitter and tests.
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
}

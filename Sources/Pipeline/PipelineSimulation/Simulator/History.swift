internal import PipelineCore

/// What happened in a run: lines for people, and a fingerprint over every decision.
public struct History: Sendable, Equatable {
    /// `MICROSECONDS STEP TEXT`, in order.
    public private(set) var lines: [String] = []
    /// Covers every line, and which process ran at which time at every step.
    public private(set) var fingerprint: UInt64 = 0xCBF2_9CE4_8422_2325
    var isOpen = true

    public init() {}

    /// The last lines.
    public func tail(_ count: Int) -> String { lines.suffix(count).joined(separator: "\n") }

    mutating func append(_ line: String) {
        lines.append(line)
        for byte in line.utf8 { mix(UInt64(byte)) }
    }

    mutating func decide(_ process: Int, _ now: Instant) {
        if !isOpen { return }
        mix(UInt64(truncatingIfNeeded: process))
        mix(UInt64(bitPattern: now.nanoseconds))
    }

    /// FNV-1a ([reference](http://www.isthe.com/chongo/tech/comp/fnv/)), a word at a time.
    private mutating func mix(_ word: UInt64) {
        fingerprint = (fingerprint ^ word) &* 0x100_0000_01B3
    }
}

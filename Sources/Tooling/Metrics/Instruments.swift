internal import Concurrency
internal import Synchronization

/// A number that only grows, from zero at the start of the process. Any thread; one atomic
/// addition.
public final class Counter: Metric {
    // Whole numbers apart, since adding to an integer is one instruction and adding to a double is
    // a loop.
    private let whole = Atomic<UInt64>(0)
    private let fraction = AtomicDouble()

    init() {}

    public func increment(by amount: Int = 1) {
        precondition(amount >= 0, "a counter does not go down")
        whole.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    /// - Parameter amount: finite and not negative.
    public func increment(by amount: Double) {
        precondition(amount >= 0 && amount.isFinite, "a counter does not go down")
        fraction.add(amount)
    }

    public var value: Double { Double(whole.load(ordering: .relaxed)) + fraction.value }

    func write(_ name: String, _ labels: LabelSet, to text: inout String) {
        text += "\(name)\(labels.braced()) \(exposed(value))\n"
    }
}

private func seconds(_ duration: Duration) -> Double {
    let (seconds, attoseconds) = duration.components
    return Double(seconds) + Double(attoseconds) * 1e-18
}

/// A number that goes up and down. Any thread.
public final class Gauge: Metric {
    private let current = AtomicDouble()

    init() {}

    public func set(_ value: Double) { current.store(value) }
    public var value: Double { current.value }

    func write(_ name: String, _ labels: LabelSet, to text: inout String) {
        text += "\(name)\(labels.braced()) \(exposed(value))\n"
    }
}

/// A gauge that asks when it is read.
final class ReadGauge: Metric {
    private let read = Mutex<@Sendable () -> Double?>({ nil })

    func replace(_ read: @escaping @Sendable () -> Double?) { self.read.withLock { $0 = read } }

    func write(_ name: String, _ labels: LabelSet, to text: inout String) {
        let read = read.withLock { $0 }
        guard let value = read() else { return }
        text += "\(name)\(labels.braced()) \(exposed(value))\n"
    }
}

/// The distribution of a quantity over fixed buckets. Any thread; a search of the bounds and two
/// atomic additions.
public final class Histogram: Metric {
    /// Upper bounds, inclusive, growing; the last bucket, `+Inf`, is implied.
    public struct Buckets: Sendable, Hashable {
        public let bounds: [Double]

        /// - Parameter bounds: finite and strictly growing; anything else traps.
        public init(_ bounds: [Double]) {
            precondition(
                bounds.allSatisfy(\.isFinite) && zip(bounds, bounds.dropFirst()).allSatisfy(<),
                "bucket bounds must grow")
            self.bounds = bounds
        }

        /// Seconds, from half a millisecond to ten: what a caller waits for.
        public static let latency = Buckets([
            0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
        ])
    }

    // An array can't hold an atomic itself.
    private final class Cell: Sendable {
        let count = Atomic<UInt64>(0)
    }
    private let bounds: [Double]
    private let cells: [Cell]
    private let sum = AtomicDouble()

    init(_ buckets: Buckets) {
        bounds = buckets.bounds
        cells = (0...buckets.bounds.count).map { _ in Cell() }
    }

    /// Counts one value. NaN is ignored.
    public func observe(_ value: Double) {
        if value.isNaN { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        cells[bucket].count.wrappingAdd(1, ordering: .relaxed)
        sum.add(value)
    }

    /// Counts one duration, in seconds.
    public func observe(_ duration: Duration) { observe(seconds(duration)) }

    /// Counts one duration of the monotonic clock.
    public func observe(nanoseconds: UInt64) { observe(Double(nanoseconds) * 1e-9) }

    /// Counts the time of `body`, whether it returns or throws.
    public func time<T>(_ body: () throws -> T) rethrows -> T {
        let start = MonotonicTime.nanosecondsNow
        defer { observe(nanoseconds: MonotonicTime.nanosecondsNow - start) }
        return try body()
    }

    /// How many values have been counted.
    public var count: UInt64 {
        cells.reduce(0) { $0 + $1.count.load(ordering: .relaxed) }
    }

    /// The sum of the counted values.
    public var total: Double { sum.value }

    func write(_ name: String, _ labels: LabelSet, to text: inout String) {
        var cumulative: UInt64 = 0
        for (index, cell) in cells.enumerated() {
            cumulative += cell.count.load(ordering: .relaxed)
            let bound = index < bounds.count ? bounds[index] : .infinity
            text += "\(name)_bucket\(labels.braced(adding: ("le", exposed(bound)))) \(cumulative)\n"
        }
        text += "\(name)_sum\(labels.braced()) \(exposed(sum.value))\n"
        text += "\(name)_count\(labels.braced()) \(cumulative)\n"
    }
}

/// A floating-point number that many threads add to.
private struct AtomicDouble: ~Copyable, Sendable {
    private let bits = Atomic<UInt64>(0)

    var value: Double {
        Double(bitPattern: bits.load(ordering: .relaxed))
    }

    func store(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var current = bits.load(ordering: .relaxed)
        while true {
            let sum = Double(bitPattern: current) + amount
            let (exchanged, original) = bits.weakCompareExchange(
                expected: current, desired: sum.bitPattern, ordering: .relaxed)
            if exchanged { return }
            current = original
        }
    }
}

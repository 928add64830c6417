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

    /// Adds seconds.
    public func increment(by duration: Duration) {
        increment(by: max(0, seconds(duration)))
    }

    public var value: Double { Double(whole.load(ordering: .relaxed)) + fraction.value }

    func write(_ name: String, _ labels: LabelSet, to text: inout String) {
        text += "\(name)\(labels.braced()) \(exposed(value))\n"
    }
}

func seconds(_ duration: Duration) -> Double {
    let (seconds, attoseconds) = duration.components
    return Double(seconds) + Double(attoseconds) * 1e-18
}

internal import Synchronization

/// A number that goes up and down. Any thread.
public final class Gauge: Metric {
    private let current = AtomicDouble()

    init() {}

    public func set(_ value: Double) { current.store(value) }
    public func increment(by amount: Double = 1) { current.add(amount) }
    public func decrement(by amount: Double = 1) { current.add(-amount) }
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

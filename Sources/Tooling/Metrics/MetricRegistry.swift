internal import Synchronization

/// The metrics of a process, or of one test; shaped like swift-prometheus'
/// `PrometheusCollectorRegistry`.
///
/// Making a metric takes a lock and may allocate: make it once and keep it. Asking again for the
/// same name and labels hands out the same metric. A name that is taken by another kind, a
/// malformed name or a repeated label is a programmer's error and traps.
public final class MetricRegistry: Sendable {
    /// For programs that need only one.
    public static let shared = MetricRegistry()

    private let families = Mutex<[String: MetricFamily]>([:])
    public init() {}

    /// A number that only grows; by convention its name ends in `_total`.
    public func makeCounter(name: String, labels: [(String, String)] = [], help: String = "")
        -> Counter
    {
        make(name, labels, help, kind: .counter, reserved: nil) { Counter() }
    }

    /// A number that goes up and down.
    public func makeGauge(name: String, labels: [(String, String)] = [], help: String = "") -> Gauge
    {
        make(name, labels, help, kind: .gauge, reserved: nil) { Gauge() }
    }

    /// A number that is asked for when metrics are read; `nil` leaves it out. Asking again replaces
    /// the closure.
    ///
    /// - Parameter read: called on the reader's thread; must not block.
    public func setGauge(
        name: String, labels: [(String, String)] = [], help: String = "",
        read: @escaping @Sendable () -> Double?
    ) {
        let gauge: ReadGauge = make(name, labels, help, kind: .gauge, reserved: nil) {
            ReadGauge()
        }
        gauge.replace(read)
    }

    /// The distribution of a quantity.
    ///
    /// - Parameter buckets: those of the metric's first maker; all metrics of one name share them.
    public func makeHistogram(
        name: String, labels: [(String, String)] = [], help: String = "",
        buckets: Histogram.Buckets = .latency
    ) -> Histogram {
        make(name, labels, help, kind: .histogram(buckets), reserved: "le") { Histogram(buckets) }
    }

    /// All metrics in Prometheus' text format 0.0.4
    /// ([specification](https://prometheus.io/docs/instrumenting/exposition_formats/)), in the
    /// order of their names and labels.
    public func exposition() -> String {
        let families = families.withLock { $0 }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            family.write(name, to: &text)
        }
        return text
    }

    private func make<M: Metric>(
        _ name: String, _ labels: [(String, String)], _ help: String, kind: MetricFamily.Kind,
        reserved: String?, create: () -> M
    ) -> M {
        let labels = LabelSet(labels, reserved: reserved)
        precondition(LabelSet.isName(name, allowsColon: true), "not a metric's name: \(name)")
        return families.withLock { families in
            let family = families[name, default: MetricFamily(kind: kind, help: help)]
            precondition(family.kind.type == kind.type, "\(name) is a \(family.kind.type) already")
            if let known = family.metrics[labels] {
                guard let known = known as? M else {
                    preconditionFailure("\(name) is made in two ways")
                }
                return known
            }
            let metric = create()
            families[name, default: family].metrics[labels] = metric
            return metric
        }
    }
}

/// What a metric is: declared once, by the code that counts it, and listed for operators.
///
/// Names and units follow Prometheus' [habits](https://prometheus.io/docs/practices/naming/):
/// seconds, bytes, ratios from 0 to 1; a counter ends in `_total`.
public struct MetricDeclaration: Sendable, Hashable {
    public enum Kind: String, Sendable, CaseIterable {
        /// A number that only grows, from zero at the start of the process.
        case counter
        /// A number that goes up and down.
        case gauge
        /// The distribution of a quantity.
        case histogram
    }

    public let kind: Kind
    public let name: String
    /// What is counted, in a sentence.
    public let help: String
    /// The names of its labels.
    public let labels: [String]
    let buckets: Histogram.Buckets

    private init(
        _ kind: Kind, _ name: String, _ help: String, _ labels: [String],
        _ buckets: Histogram.Buckets
    ) {
        self.kind = kind
        self.name = name
        self.help = help
        self.labels = labels
        self.buckets = buckets
    }

    public static func counter(_ name: String, _ help: String, labels: String...) -> Self {
        Self(.counter, name, help, labels, .latency)
    }

    public static func gauge(_ name: String, _ help: String, labels: String...) -> Self {
        Self(.gauge, name, help, labels, .latency)
    }

    public static func histogram(
        _ name: String, _ help: String, labels: String..., buckets: Histogram.Buckets = .latency
    ) -> Self {
        Self(.histogram, name, help, labels, buckets)
    }
}

extension MetricRegistry {
    /// - Parameter values: of the labels, in their order.
    public func counter(_ metric: MetricDeclaration, _ values: String...) -> Counter {
        makeCounter(name: metric.name, labels: metric.pairs(values), help: metric.help)
    }

    /// - Parameter values: of the labels, in their order.
    public func gauge(_ metric: MetricDeclaration, _ values: String...) -> Gauge {
        makeGauge(name: metric.name, labels: metric.pairs(values), help: metric.help)
    }

    /// A gauge that is asked for when metrics are read; `nil` leaves it out.
    ///
    /// - Parameters:
    ///   - values: of the labels, in their order.
    ///   - read: called on the reader's thread; must not block.
    public func setGauge(
        _ metric: MetricDeclaration, _ values: String...,
        read: @escaping @Sendable () -> Double?
    ) {
        setGauge(name: metric.name, labels: metric.pairs(values), help: metric.help, read: read)
    }

    /// - Parameter values: of the labels, in their order.
    public func histogram(_ metric: MetricDeclaration, _ values: String...) -> Histogram {
        makeHistogram(
            name: metric.name, labels: metric.pairs(values), help: metric.help,
            buckets: metric.buckets)
    }
}

extension MetricDeclaration {
    /// Traps when there are more or fewer values than labels.
    fileprivate func pairs(_ values: [String]) -> [(String, String)] {
        precondition(values.count == labels.count, "\(name) has the labels \(labels)")
        return Array(zip(labels, values))
    }
}

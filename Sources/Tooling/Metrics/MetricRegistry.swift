internal import Synchronization

/// The metrics of a process, or of one test; shaped like swift-prometheus'
/// `PrometheusCollectorRegistry`.
///
/// Making a metric takes a lock and may allocate: make it once and keep it. Asking again for the
/// same name and labels hands out the same metric. A name that is taken by another kind, a
/// malformed name or a repeated label is a programmer's error and traps.
public final class MetricRegistry: Sendable {
    private let families = Mutex<[String: MetricFamily]>([:])
    public init() {}

    /// A number that only grows; by convention its name ends in `_total`.
    func makeCounter(name: String, labels: [(String, String)] = [], help: String = "")
        -> Counter
    {
        make(name, labels, help, kind: .counter, reserved: nil) { Counter() }
    }

    /// A number that goes up and down.
    func makeGauge(name: String, labels: [(String, String)] = [], help: String = "") -> Gauge {
        make(name, labels, help, kind: .gauge, reserved: nil) { Gauge() }
    }

    /// A number that is asked for when metrics are read; `nil` leaves it out. Asking again replaces
    /// the closure.
    ///
    /// - Parameter read: called on the reader's thread; must not block.
    func setGauge(
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
    func makeHistogram(
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

/// One metric of a family, as it writes itself.
protocol Metric: Sendable {
    func write(_ name: String, _ labels: LabelSet, to text: inout String)
}

/// The metrics of one name: one for each set of labels.
private struct MetricFamily: Sendable {
    enum Kind: Sendable {
        case counter, gauge
        case histogram(Histogram.Buckets)

        var type: String {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }
    var kind: Kind
    private var help: String
    var metrics: [LabelSet: any Metric] = [:]

    init(kind: Kind, help: String) {
        self.kind = kind
        self.help = help
    }

    func write(_ name: String, to text: inout String) {
        if !help.isEmpty { text += "# HELP \(name) \(escapedHelp)\n" }
        text += "# TYPE \(name) \(kind.type)\n"
        for (labels, metric) in metrics.sorted(by: { $0.key < $1.key }) {
            metric.write(name, labels, to: &text)
        }
    }

    private var escapedHelp: String {
        var escaped = ""
        for scalar in help.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

/// A number in the text format: integers without a fraction, `+Inf`, `-Inf`, `NaN`.
func exposed(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return Int64(exactly: value).map(String.init) ?? String(value)
}

/// The labels of one metric, sorted by name and written out once.
struct LabelSet: Sendable, Hashable, Comparable {
    /// `method="GET",path="/"`; empty without labels.
    private let text: String

    /// Traps when a name is malformed, reserved or repeated.
    init(_ labels: [(String, String)], reserved: String?) {
        let sorted = labels.sorted { $0.0 < $1.0 }
        for (index, label) in sorted.enumerated() {
            precondition(
                Self.isName(label.0, allowsColon: false) && !label.0.hasPrefix("__")
                    && label.0 != reserved, "not a label's name: \(label.0)")
            precondition(
                index == 0 || sorted[index - 1].0 != label.0, "two labels named \(label.0)")
        }
        text = sorted.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
    }

    /// The labels in braces, with one more if given.
    func braced(adding extra: (name: String, value: String)? = nil) -> String {
        guard let extra else { return text.isEmpty ? "" : "{\(text)}" }
        return "{\(text)\(text.isEmpty ? "" : ",")\(extra.name)=\"\(Self.escaped(extra.value))\"}"
    }

    static func < (a: LabelSet, b: LabelSet) -> Bool { a.text < b.text }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`, for metrics with colons.
    fileprivate static func isName(_ name: String, allowsColon: Bool) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
            case UInt8(ascii: ":"): allowsColon
            default: false
            }
        }
    }

    private static func escaped(_ value: String) -> String {
        var escaped = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}

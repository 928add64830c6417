/// One metric of a family, as it writes itself.
protocol Metric: Sendable {
    func write(_ name: String, _ labels: LabelSet, to text: inout String)
}

/// The metrics of one name: one for each set of labels.
struct MetricFamily: Sendable {
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
    var help: String
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

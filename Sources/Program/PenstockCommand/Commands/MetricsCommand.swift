internal import CommandLineInterface
internal import ConfigurationFields
internal import LocatedJSON
internal import Metrics
internal import PipelineCore

private struct MetricsOptions: Settings {
    enum Format: String, Choice { case text, markdown, json }

    static let summary = "Lists the metrics of `run` and `generate`, and what each means."
    let format: Format

    init(_ field: Fields) {
        format = field("format", "How they are printed; json is one object.", default: .text)
    }
}

extension PenstockCommand {
    static func metrics(_ catalogue: Catalogue) -> Command {
        Command(
            "metrics", MetricsOptions.self,
            details: """
                They are served at /metrics of the address that --admin names, in Prometheus' text \
                format. Counters and histograms are there from the start, at zero; a gauge is left \
                out while its store is away.
                """,
            examples: [
                .init("", "Each with its labels and what it counts."),
                .init("--format json", "For whoever writes alerts and dashboards."),
            ]
        ) { options, console in
            let metrics = catalogue.allMetrics
            switch options.format {
            case .text: for metric in metrics { console.out(metric.text) }
            case .markdown:
                console.out("| metric | kind | labels | meaning |\n|---|---|---|---|\n")
                for metric in metrics { console.out(metric.markdown) }
            case .json:
                let list = JSON.array(metrics.map(\.json))
                console.out(JSON.object([("metrics", list)]).written(.pretty) + "\n")
            }
            return .success
        }
    }
}

extension Catalogue {
    /// All metrics that a process with these plug-ins may serve, by name.
    var allMetrics: [MetricDeclaration] {
        let ofStages = stages.flatMap { $0.counters.map { MetricDeclaration($0) } }
        let all =
            MetricDeclaration.ofProcesses + MetricDeclaration.ofReadiness
            + MetricDeclaration.ofOutages
            + MetricDeclaration.ofPipelines + MetricDeclaration.ofGenerators + ofStages + metrics
        return all.sorted { $0.name < $1.name }
    }
}

extension MetricDeclaration {
    fileprivate var text: String {
        let braced = labels.isEmpty ? "" : "{\(labels.joined(separator: ", "))}"
        return "\(name)\(braced)  \(kind.rawValue)\n    \(help)\n"
    }

    fileprivate var markdown: String {
        let quoted = labels.map { "`\($0)`" }.joined(separator: ", ")
        return "| `\(name)` | \(kind.rawValue) | \(quoted) | \(help) |\n"
    }

    fileprivate var json: JSON {
        .object([
            ("name", .string(name)), ("kind", .string(kind.rawValue)),
            ("labels", .array(labels.map { .string($0) })), ("help", .string(help)),
        ])
    }
}

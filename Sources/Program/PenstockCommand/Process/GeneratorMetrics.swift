internal import Metrics
internal import ReportService

/// Counts what a served generator does, for Prometheus.
struct GeneratorMetrics: Sendable {
    let registry: MetricRegistry

    func observe(_ run: ServedRun) {
        switch run {
        case .generated(let cases, let failures, let rowsRead, let took):
            count("penstock_generator_batches_total", "Batches generated.", by: 1)
            count("penstock_generator_cases_total", "Cases answered, errors included.", by: cases)
            count(
                "penstock_generator_case_errors_total", "Cases answered by an error.", by: failures)
            if let rowsRead {
                count(
                    "penstock_generator_rows_total", "Rows read from the store.", by: Int(rowsRead))
            }
            time(took, outcome: "generated")
        case .failed(let took):
            count("penstock_generator_failed_runs_total", "Runs that failed.", by: 1)
            time(took, outcome: "failed")
        }
    }

    private func count(_ name: String, _ help: String, by amount: Int) {
        registry.makeCounter(name: name, help: help).increment(by: amount)
    }

    private func time(_ took: Duration, outcome: String) {
        registry.makeHistogram(
            name: "penstock_generator_run_seconds", labels: [("outcome", outcome)],
            help: "Time of a run."
        ).observe(took)
    }
}

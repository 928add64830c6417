internal import Metrics
internal import PipelineCore
internal import PipelineRuntime
internal import Synchronization

/// Counts what pipelines do, for Prometheus.
final class PipelineMetrics: RuntimeObserver {
    private let registry: MetricRegistry
    private let pipeline: String

    init(registry: MetricRegistry, pipeline: String) {
        self.registry = registry
        self.pipeline = pipeline
    }

    private func labels(_ stage: String) -> [(String, String)] {
        [("pipeline", pipeline), ("stage", stage)]
    }

    private func count(_ name: String, _ stage: String, _ help: String, by amount: Int) {
        registry.makeCounter(name: name, labels: labels(stage), help: help)
            .increment(by: amount)
    }

    private func time(_ name: String, _ stage: String, _ help: String, _ took: Duration) {
        registry.makeHistogram(name: name, labels: labels(stage), help: help).observe(took)
    }

    /// For ``PipelineCore/StageContext/meter``.
    func counted(_ stage: String, _ name: String, _ help: String, _ amount: Int) {
        count("penstock_\(name)_total", stage, help, by: amount)
    }

    func passed(stage: String, records: Int, took: Duration) {
        count("penstock_stage_records_total", stage, "Records that left a stage.", by: records)
        time("penstock_stage_seconds", stage, "Time that a stage took for a chunk.", took)
    }
    func rejected(stage: String, records: Int) {
        count("penstock_rejected_records_total", stage, "Records refused for good.", by: records)
    }
    func retried(_ what: String) {
        registry.makeCounter(
            name: "penstock_retries_total", labels: [("pipeline", pipeline)],
            help: "Operations that failed and were tried again."
        ).increment()
    }
    func generated(stage: String, cases: Int, took: Duration, late: Int) {
        count("penstock_batches_total", stage, "Batches generated.", by: 1)
        count("penstock_cases_total", stage, "Cases answered.", by: cases)
        count("penstock_late_cases_total", stage, "Cases answered after their deadline.", by: late)
        time("penstock_generation_seconds", stage, "Time of a generation run.", took)
    }
    func generationFailed(stage: String, _ error: PipelineError) {
        count("penstock_failed_runs_total", stage, "Generation runs that failed.", by: 1)
    }
    func delivered(stage: String, outcomes: Int, took: Duration) {
        count("penstock_delivered_outcomes_total", stage, "Outcomes delivered.", by: outcomes)
        time("penstock_delivery_seconds", stage, "Time of a delivery of a batch.", took)
    }
}

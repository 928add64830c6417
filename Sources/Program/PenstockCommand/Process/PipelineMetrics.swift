internal import ConfigurationFields
internal import Metrics
internal import PipelineCore
internal import PipelineRuntime
internal import Synchronization

/// Counts what pipelines do, for Prometheus.
final class PipelineMetrics: RuntimeObserver, RefusalObserver {
    private let registry: MetricRegistry
    private let pipeline: String
    private let log: RefusalLog
    private let stages: [String]
    private let latest = Mutex<(parked: [String: Int]?, deadLetters: [String: Int]?)>((nil, nil))

    /// - Parameter stages: with the codes that they are known to refuse records with; these are
    ///   zero from the start.
    init(
        registry: MetricRegistry, pipeline: String, stages: [(id: String, codes: [ErrorCode])],
        log: RefusalLog
    ) {
        self.registry = registry
        self.pipeline = pipeline
        self.log = log
        self.stages = stages.map(\.id)
        for stage in stages { for code in stage.codes { countRejected(stage.id, code, by: 0) } }
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
    func rejected(_ rejections: [Rejection]) {
        for rejection in rejections { countRejected(rejection.stage, rejection.code, by: 1) }
        log.rejected(rejections)
    }
    private func countRejected(_ stage: String, _ code: ErrorCode, by amount: Int) {
        registry.makeCounter(
            name: "penstock_rejected_records_total", labels: labels(stage) + [("code", code.name)],
            help: "Records refused for good: dead letters, and requests of callers."
        ).increment(by: amount)
    }
    func keptElsewhere(_ count: Int, of input: String, in place: String, because: PipelineError) {
        registry.makeCounter(
            name: "penstock_dead_letters_kept_elsewhere_total",
            labels: [("pipeline", pipeline), ("topic", input), ("place", place)],
            help: "Dead letters that their topic did not take, in the store or a file."
        ).increment(by: count)
        log.keptElsewhere(count, of: input, in: place, because: because)
    }
    func paused(_ partitions: [Int32], of input: String, because: PipelineError?) {
        registry.makeGauge(
            name: "penstock_resting_partitions",
            labels: [("pipeline", pipeline), ("topic", input)],
            help: "Partitions that rest because nothing takes their dead letters."
        ).set(Double(partitions.count))
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
    func parked(stage: String, code: ErrorCode, outcomes: Int) {
        registry.makeCounter(
            name: "penstock_parked_outcomes_total", labels: labels(stage) + [("code", code.name)],
            help: "Outcomes that a sink has refused for good."
        ).increment(by: outcomes)
    }
    func figures(parked: [String: Int]?, deadLetters: [String: Int]?) {
        latest.withLock { latest in
            latest.parked = parked
            let none = Dictionary(uniqueKeysWithValues: stages.map { ($0, 0) })
            latest.deadLetters = deadLetters.map { none.merging($0) { $1 } }
        }
        for stage in (parked ?? [:]).keys {
            registry.setGauge(
                name: "penstock_parked_outcomes", labels: labels(stage),
                help: "Outcomes that a sink has refused, waiting for an operator."
            ) { [weak self] in self?.latest.withLock { $0.parked?[stage].map(Double.init) } }
        }
        for stage in deadLetters == nil ? [] : stages {
            registry.setGauge(
                name: "penstock_stored_dead_letters", labels: labels(stage),
                help: "Dead letters that the store keeps, waiting for an operator."
            ) { [weak self] in self?.latest.withLock { $0.deadLetters?[stage].map(Double.init) } }
        }
    }
    func delivered(stage: String, outcomes: Int, took: Duration) {
        count("penstock_delivered_outcomes_total", stage, "Outcomes delivered.", by: outcomes)
        time("penstock_delivery_seconds", stage, "Time of a delivery of a batch.", took)
    }
}

/// A part of a whole, written `5%` or `0.05`.
struct Share: TextValue, Equatable {
    static let kind = "share"
    /// From 0 to 1.
    let value: Double
    let text: String

    init(_ value: Double) {
        self.value = value
        let hundredths = (value * 10_000).rounded() / 100
        text = hundredths == hundredths.rounded() ? "\(Int(hundredths))%" : "\(hundredths)%"
    }

    init(parsing text: String) throws(Refusal) {
        let isPercent = text.hasSuffix("%")
        guard let number = Double(isPercent ? String(text.dropLast()) : text) else {
            throw Refusal(.invalidValue, "is not a share", hint: "for example 5%")
        }
        let value = isPercent ? number / 100 : number
        guard (0...1).contains(value) else {
            throw Refusal(.outOfRange, "lies outside 0% to 100%")
        }
        self.init(value)
    }
}

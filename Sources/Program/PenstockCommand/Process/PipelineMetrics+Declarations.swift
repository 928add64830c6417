internal import Metrics
internal import PipelineCore

/// What is told of a running pipeline; ``PipelineMetrics`` counts it.
extension MetricDeclaration {
    /// What stages of a type count.
    init(_ counter: StageCounter) {
        self = .counter(
            "penstock_\(counter.name)_total", counter.help, labels: "pipeline", "stage")
    }

    /// Those of a running pipeline.
    static let ofPipelines: [MetricDeclaration] = [
        stageRecords, stageSeconds, rejectedRecords, keptElsewhere, pausedPartitions, retries,
        openCases, openFill, openAge, deadlineSlack, nextFiring, revision, ruleOutdated,
        sealingPaused, generationPaused,
        deliveryPaused, leasesHeld, sealedBatches,
        sealedCases, fullness, sealedWaiting, sealedAge, running, batches, cases, lateCases,
        generationSeconds, failedRuns, leasesLost, caseWait, caseLateness, undelivered,
        undeliveredAge, deliveredOutcomes, deliverySeconds, parkedOutcomesTotal, parkedOutcomes,
        storedDeadLetters, waitingLetters,
    ]

    private static func ofStage(_ name: String, _ help: String) -> MetricDeclaration {
        gauge(name, help, labels: "pipeline", "stage")
    }

    static let stageRecords = counter(
        "penstock_stage_records_total", "Records that left a stage.", labels: "pipeline", "stage")
    static let stageSeconds = histogram(
        "penstock_stage_seconds", "Time that a stage took for a chunk.",
        labels: "pipeline", "stage")
    static let rejectedRecords = counter(
        "penstock_rejected_records_total",
        "Records refused for good: dead letters, and requests of callers.",
        labels: "pipeline", "stage", "code")
    static let keptElsewhere = counter(
        "penstock_dead_letters_kept_elsewhere_total",
        "Dead letters that their topic did not take, in the store or a file.",
        labels: "pipeline", "topic", "place")
    static let pausedPartitions = gauge(
        "penstock_resting_partitions",
        "Partitions that rest because nothing takes their dead letters.",
        labels: "pipeline", "topic")
    static let retries = counter(
        "penstock_retries_total", "Operations that failed and were tried again.",
        labels: "pipeline")

    static let openCases = ofStage(
        "penstock_open_cases", "Cases that wait in the open batch, counted up to 100,000.")
    static let openFill = ofStage(
        "penstock_open_batch_fill_ratio",
        "Waiting cases as a part of those that are sealed for their number alone.")
    static let openAge = ofStage(
        "penstock_open_oldest_case_age_seconds",
        "How long the oldest case of the open batch has waited.")
    static let deadlineSlack = ofStage(
        "penstock_open_earliest_deadline_seconds",
        "Time up to the earliest deadline in the open batch; negative once it is over.")
    static let nextFiring = gauge(
        "penstock_next_firing_timestamp_seconds",
        "When the rule seals the open batch if nothing more arrives, since 1970; absent while it waits for arrivals or an operator.",
        labels: "pipeline", "stage", "closed_by")
    static let revision = ofStage(
        "penstock_rule_revision", "The revision of the batching rule in force.")
    static let ruleOutdated = ofStage(
        "penstock_rule_outdated",
        "1 while this process does not seal, since another one has a newer rule; 0 while it does.")
    static let sealingPaused = ofStage(
        "penstock_sealing_paused", "1 while an operator holds up sealing; 0 otherwise.")
    static let generationPaused = ofStage(
        "penstock_generation_paused",
        "1 while an operator holds up the generation of the batches that the stage seals; 0 otherwise."
    )
    static let deliveryPaused = ofStage(
        "penstock_delivery_paused", "1 while an operator holds up the sink; 0 otherwise.")
    static let leasesHeld = ofStage(
        "penstock_leases_held",
        "Batches that this process answers, by the generator's stage, or delivers, by the sink's.")
    static let sealedBatches = counter(
        "penstock_sealed_batches_total", "Batches that this process sealed, by the trigger.",
        labels: "pipeline", "stage", "closed_by")
    static let sealedCases = counter(
        "penstock_sealed_cases_total", "Cases in them.", labels: "pipeline", "stage", "closed_by")
    static let fullness = histogram(
        "penstock_batch_fullness_ratio",
        "Cases of a sealed batch as a part of those that are sealed for their number alone.",
        labels: "pipeline", "stage",
        buckets: .init([0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 1]))
    static let sealedWaiting = ofStage(
        "penstock_waiting_batches", "Sealed batches that no worker holds.")
    static let sealedAge = ofStage(
        "penstock_waiting_oldest_batch_age_seconds",
        "How long the oldest of them has been sealed.")
    static let running = ofStage(
        "penstock_running_batches", "Batches that a worker of any process holds.")

    static let batches = counter(
        "penstock_batches_total", "Batches generated.", labels: "pipeline", "stage")
    static let cases = counter(
        "penstock_cases_total", "Cases answered.", labels: "pipeline", "stage")
    static let lateCases = counter(
        "penstock_late_cases_total", "Cases answered after their deadline.",
        labels: "pipeline", "stage")
    static let generationSeconds = histogram(
        "penstock_generation_seconds", "Time of a generation run.", labels: "pipeline", "stage",
        buckets: .run)
    static let failedRuns = counter(
        "penstock_failed_runs_total", "Generation runs that failed.", labels: "pipeline", "stage")
    static let leasesLost = counter(
        "penstock_leases_lost_total",
        "Batches and deliveries that another process took over while this one worked on them.",
        labels: "pipeline", "stage")
    static let caseWait = histogram(
        "penstock_case_wait_seconds", "Time from a case's acceptance to its outcome.",
        labels: "pipeline", "stage", buckets: .wait)
    static let caseLateness = histogram(
        "penstock_case_lateness_seconds",
        "How long after its deadline a case got its outcome; 0 for one in time.",
        labels: "pipeline", "stage", buckets: .lateness)

    static let undelivered = ofStage(
        "penstock_undelivered_batches", "Batches that the sink has not delivered.")
    static let undeliveredAge = ofStage(
        "penstock_undelivered_oldest_batch_age_seconds",
        "How long the oldest of them has had its outcomes.")
    static let deliveredOutcomes = counter(
        "penstock_delivered_outcomes_total", "Outcomes delivered.", labels: "pipeline", "stage")
    static let deliverySeconds = histogram(
        "penstock_delivery_seconds", "Time of a delivery of a batch.",
        labels: "pipeline", "stage", buckets: .run)
    static let parkedOutcomesTotal = counter(
        "penstock_parked_outcomes_total", "Outcomes that a sink has refused for good.",
        labels: "pipeline", "stage", "code")
    static let parkedOutcomes = ofStage(
        "penstock_parked_outcomes",
        "Outcomes that a sink has refused, waiting for an operator.")
    static let storedDeadLetters = ofStage(
        "penstock_stored_dead_letters",
        "Dead letters that the store keeps, waiting for an operator; what lies in dead-letter topics is not among them."
    )
    static let waitingLetters = gauge(
        "penstock_waiting_dead_letters",
        "What `penstock dead-letters list` has, by where it lies: records in a dead-letter topic (place topic) as far as offsets tell, without those that were replayed or dropped; records in the store (store), by the stage that refused them; outcomes that a sink has refused (sink). Absent while the bus or the store is away.",
        labels: "pipeline", "place", "stage", "topic")
}

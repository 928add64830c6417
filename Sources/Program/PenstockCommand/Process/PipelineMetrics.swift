internal import Calendar
internal import Metrics
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import Synchronization

/// Counts what a pipeline does, and tells what waits in it, for Prometheus.
final class PipelineMetrics: RuntimeObserver, RefusalObserver {
    private let registry: MetricRegistry
    private let pipeline: String
    private let log: RefusalLog
    private let clock: PipelineClock
    private let stages: [String]
    private let latest = Mutex<WaitingFigures?>(nil)
    /// Letters that wait in topics; `nil` while nobody knows.
    private let inTopics = Mutex<[String: Int]?>([:])
    /// Whether anybody has looked for figures.
    private let hasLooked = Atomic(false)
    /// Partitions that rest, by input.
    private let resting = Mutex<[String: Int]>([:])
    private let leases = Mutex<[String: Int]>([:])
    /// Whether another process has a newer rule; `nil` before it was looked at.
    private let isOutdated = Mutex<Bool?>(nil)

    /// Whatever is known to be counted is zero from the start.
    init(
        registry: MetricRegistry, pipeline: String,
        stages: [StageDefinition],
        log: RefusalLog, clock: PipelineClock
    ) {
        self.registry = registry
        self.pipeline = pipeline
        self.log = log
        self.clock = clock
        self.stages = stages.map(\.id)
        let hasBatches = stages.contains { $0.role == .worker }
        for stage in stages {
            for code in stage.contract.rejectionCodes { countRejected(stage.id, code, by: 0) }
            for counter in type(of: stage.settings).counters { _ = self.counter(stage.id, counter) }
            for topic in stage.contract.uses.compactMap({ $0.topic?.deadLetters?.name }) {
                registry.setGauge(.waitingLetters, pipeline, "topic", "", topic) { [weak self] in
                    self?.inTopics.withLock { $0 }.map { Double($0[topic] ?? 0) }
                }
            }
            letters("store", stage.id) { $0.deadLetters?[stage.id] }
            switch stage.role {
            case .barrier: if hasBatches { prepareBarrier(stage) }
            case .worker: prepareWorker(stage.id)
            case .sink: if hasBatches { prepareSink(stage.id) }
            case .source, .transform: break
            }
        }
        _ = registry.counter(.retries, pipeline)
    }

    private func count(_ metric: MetricDeclaration, _ stage: String, by amount: Int = 1) {
        registry.counter(metric, pipeline, stage).increment(by: amount)
    }

    // MARK: Records

    /// For ``PipelineCore/StageContext/meter``.
    func counter(_ stage: String, _ counter: StageCounter) -> @Sendable (Int) -> Void {
        let counter = registry.counter(MetricDeclaration(counter), pipeline, stage)
        return { counter.increment(by: $0) }
    }

    func passed(stage: String, records: Int, took: Duration) {
        count(.stageRecords, stage, by: records)
        registry.histogram(.stageSeconds, pipeline, stage).observe(took)
    }

    func rejected(_ rejections: [Rejection]) {
        for rejection in rejections { countRejected(rejection.stage, rejection.code, by: 1) }
        log.rejected(rejections)
    }

    private func countRejected(_ stage: String, _ code: ErrorCode, by amount: Int) {
        registry.counter(.rejectedRecords, pipeline, stage, code.name).increment(by: amount)
    }

    func keptElsewhere(_ count: Int, of input: String, in place: String, because: PipelineError) {
        registry.counter(.keptElsewhere, pipeline, input, place).increment(by: count)
        log.keptElsewhere(count, of: input, in: place, because: because)
    }

    func paused(_ partitions: [Int32], of input: String, because: PipelineError?) {
        resting.withLock { $0[input] = partitions.count }
        registry.setGauge(.pausedPartitions, pipeline, input) { [weak self] in
            self?.resting.withLock { $0[input] }.map(Double.init)
        }
    }

    func retried(_ what: String) { registry.counter(.retries, pipeline).increment() }

    // MARK: Batches

    func sealed(stage: String, _ batch: SealedBatch, fullBatch: Int?) {
        registry.counter(.sealedBatches, pipeline, stage, batch.closedBy).increment()
        registry.counter(.sealedCases, pipeline, stage, batch.closedBy).increment(by: batch.count)
        if let fullBatch, fullBatch > 0 {
            registry.histogram(.fullness, pipeline, stage)
                .observe(Double(batch.count) / Double(fullBatch))
        }
    }

    func generated(stage: String, _ cases: [Case], took: Duration, committedAt: Timestamp) {
        count(.batches, stage)
        count(.cases, stage, by: cases.count)
        registry.histogram(.generationSeconds, pipeline, stage).observe(took)
        let wait = registry.histogram(.caseWait, pipeline, stage)
        let lateness = registry.histogram(.caseLateness, pipeline, stage)
        var late = 0
        for item in cases {
            if let acceptedAt = item.acceptedAt {
                wait.observe(acceptedAt.duration(to: committedAt))
            }
            let over = item.deadline.duration(to: committedAt)
            if over > .zero { late += 1 }
            lateness.observe(max(.zero, over))
        }
        count(.lateCases, stage, by: late)
    }

    func generationFailed(stage: String, _ error: PipelineError) {
        count(.failedRuns, stage)
        if error.disposition == .fenced { count(.leasesLost, stage) }
    }

    func holds(stage: String, more leases: Int) {
        self.leases.withLock { $0[stage, default: 0] += leases }
    }

    func seals(stage: String, isOutdated: Bool) {
        self.isOutdated.withLock { $0 = isOutdated }
    }

    func deliveryLost(stage: String) { count(.leasesLost, stage) }

    func delivered(stage: String, outcomes: Int, took: Duration) {
        count(.deliveredOutcomes, stage, by: outcomes)
        registry.histogram(.deliverySeconds, pipeline, stage).observe(took)
    }

    func parked(stage: String, code: ErrorCode, outcomes: Int) {
        registry.counter(.parkedOutcomesTotal, pipeline, stage, code.name).increment(by: outcomes)
    }

    // MARK: What waits

    var hearsFigures: Bool { true }

    func letters(_ counts: [String: Int]?) { inTopics.withLock { $0 = counts } }

    func figures(_ figures: WaitingFigures?) {
        hasLooked.store(true, ordering: .relaxed)
        latest.withLock { $0 = figures }
        guard let figures else { return }
        for sink in figures.parked.keys {
            gauge(.parkedOutcomes, sink) { $0.parked[sink].map(Double.init) }
        }
        if figures.deadLetters != nil {
            for stage in stages {
                gauge(.storedDeadLetters, stage) { figures in
                    figures.deadLetters.map { Double($0[stage] ?? 0) }
                }
            }
        }
        guard let barrier = figures.barrier, let next = barrier.next else { return }
        registry.setGauge(.nextFiring, pipeline, barrier.stage, next.closedBy) { [weak self] in
            self?.latest.withLock { $0?.barrier?.next }.flatMap {
                $0.closedBy == next.closedBy ? Double($0.at.microseconds) / 1_000_000 : nil
            }
        }
    }

    /// What waits in the open batch, in a few words for a service manager, times in UTC; `nil`
    /// while nobody knows.
    var status: String? {
        guard let barrier = latest.withLock({ $0?.barrier }) else { return nil }
        let cases = barrier.overview.open.count
        let fill = "open \(cases)\(barrier.fullBatch.map { "/\($0)" } ?? "")"
        guard let next = barrier.next else { return fill }
        let time = CivilTime(microsecondsSinceEpoch: next.at.microseconds)
        let isSoon = barrier.overview.clock.duration(to: next.at) < .seconds(86_400)
        return "\(fill), fires \(isSoon ? "" : "\(time.date) ")\(time.minutes) (\(next.closedBy))"
    }

    private func prepareBarrier(_ definition: StageDefinition) {
        let stage = definition.id
        for reason in (definition.settings as? any SealingStage)?.closingReasons ?? [] {
            _ = registry.counter(.sealedBatches, pipeline, stage, reason)
            _ = registry.counter(.sealedCases, pipeline, stage, reason)
        }
        registry.setGauge(.ruleOutdated, pipeline, stage) { [weak self] in
            self?.isOutdated.withLock { $0 }.map { $0 ? 1 : 0 }
        }
        gauge(.sealingPaused, stage) { barrier, _ in barrier.paused.contains(.sealing) ? 1 : 0 }
        gauge(.generationPaused, stage) { barrier, _ in
            barrier.paused.contains(.generation) ? 1 : 0
        }
        _ = registry.histogram(.fullness, pipeline, stage)
        gauge(.openCases, stage) { barrier, _ in Double(barrier.overview.open.count) }
        gauge(.openFill, stage) { barrier, _ in
            barrier.fullBatch.map { Double(barrier.overview.open.count) / Double($0) }
        }
        gauge(.openAge, stage) { barrier, now in barrier.overview.open.oldest.age(at: now) }
        gauge(.deadlineSlack, stage) { barrier, now in
            barrier.overview.open.earliestDeadline.map { -$0.duration(to: now).inSeconds }
        }
        gauge(.sealedWaiting, stage) { barrier, _ in Double(barrier.overview.sealed) }
        gauge(.sealedAge, stage) { barrier, now in barrier.overview.oldestSealed.age(at: now) }
        gauge(.running, stage) { barrier, _ in Double(barrier.overview.running) }
        gauge(.revision, stage) { barrier, _ in Double(barrier.overview.revision) }
    }

    private func prepareWorker(_ stage: String) {
        for metric: MetricDeclaration in [.batches, .cases, .lateCases, .failedRuns, .leasesLost] {
            count(metric, stage, by: 0)
        }
        prepareLeases(stage)
        for metric: MetricDeclaration in [.generationSeconds, .caseWait, .caseLateness] {
            _ = registry.histogram(metric, pipeline, stage)
        }
    }

    private func prepareLeases(_ stage: String) {
        registry.setGauge(.leasesHeld, pipeline, stage) { [weak self] in
            self.map { Double($0.leases.withLock { $0[stage] ?? 0 }) }
        }
    }

    /// Letters that wait in a place; none before anybody has looked.
    private func letters(
        _ place: String, _ stage: String, _ read: @escaping @Sendable (WaitingFigures) -> Int?
    ) {
        registry.setGauge(.waitingLetters, pipeline, place, stage, "") { [weak self] in
            guard let self, hasLooked.load(ordering: .relaxed) else { return self.map { _ in 0 } }
            return latest.withLock { $0 }.map { Double(read($0) ?? 0) }
        }
    }

    private func prepareSink(_ stage: String) {
        letters("sink", stage) { $0.parked[stage] }
        prepareLeases(stage)
        gauge(.deliveryPaused, stage) { barrier, _ in
            barrier.paused.contains(.delivery(stage)) ? 1 : 0
        }
        count(.deliveredOutcomes, stage, by: 0)
        count(.leasesLost, stage, by: 0)
        _ = registry.histogram(.deliverySeconds, pipeline, stage)
        gauge(.undelivered, stage) { barrier, _ in
            Double(barrier.overview.undelivered[stage]?.count ?? 0)
        }
        gauge(.undeliveredAge, stage) { barrier, now in
            (barrier.overview.undelivered[stage]?.oldest).age(at: now)
        }
    }

    private func gauge(
        _ metric: MetricDeclaration, _ stage: String,
        _ read: @escaping @Sendable (WaitingFigures) -> Double?
    ) {
        registry.setGauge(metric, pipeline, stage) { [weak self] in
            self?.latest.withLock { $0 }.flatMap(read)
        }
    }

    /// A figure of the barrier, and of the store's clock now.
    private func gauge(
        _ metric: MetricDeclaration, _ stage: String,
        _ read: @escaping @Sendable (WaitingFigures.Barrier, _ now: Timestamp) -> Double?
    ) {
        let clock = clock
        gauge(metric, stage) { figures in
            figures.barrier.flatMap { barrier in
                let past = figures.readAt.duration(to: clock.now)
                return read(barrier, barrier.overview.clock.advanced(by: past))
            }
        }
    }
}

extension Timestamp? {
    /// Seconds; 0 where nothing waits.
    fileprivate func age(at now: Timestamp) -> Double {
        self.map { max(0, $0.duration(to: now).inSeconds) } ?? 0
    }
}

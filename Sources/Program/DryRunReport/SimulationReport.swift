public import PipelineCore

/// What a pipeline did with an arrival trace in virtual time. Times count from the trace's start.
public struct SimulationReport: Sendable {
    /// The pipeline's name.
    public var pipeline: String
    /// The file, as the operator named it.
    public var file: String
    /// What the figures rest on, a sentence each without a full stop.
    public var assumptions: [String] = []
    /// The civil time at which the trace starts; `cron` rules go by it.
    public var start: Timestamp
    /// How long a case may wait for its answer.
    public var sla: Duration
    /// How long the trace lasts: the answers to its last arrivals come later.
    public var traceLength: Duration
    /// When the last thing happened.
    public var end: Duration = .zero
    /// Real time that the simulation took.
    public var took: Duration = .zero

    /// When each message arrived, ascending; repeats and malformed ones included.
    public var arrivals: [Duration] = []
    /// When each distinct case arrived first, ascending.
    public var cases: [Duration] = []
    /// Every batch, in the order of its sealing.
    public var batches: [BatchFigures] = []
    /// How long each answered case waited from its first arrival to its outcome, ascending.
    public var waits: [Duration] = []
    /// Answers that came after their case's own deadline, as `run` marks and counts them; those
    /// after the SLA where nobody counts deadlines.
    public var late: Int {
        get { lateByDeadline ?? afterSLA }
        set { lateByDeadline = newValue }
    }
    private var lateByDeadline: Int?
    /// What passed each stage, in the chain's order.
    public var stages: [StageCount] = []
    /// What was refused for good, by stage and code.
    public var deadLetters: [DeadLetterCount] = []
    /// What generation cost; `nil` for a chain without a generator.
    public var generation: GenerationCost?

    public init(
        pipeline: String, file: String, start: Timestamp, sla: Duration, traceLength: Duration
    ) {
        self.pipeline = pipeline
        self.file = file
        self.start = start
        self.sla = sla
        self.traceLength = traceLength
    }

    /// Cases without an answer when nothing was left to happen, or the simulation's limit was
    /// reached.
    public var unanswered: Int { max(0, cases.count - waits.count) }
    /// Answers that came after the SLA, whatever deadline their cases had.
    public var afterSLA: Int { waits.count - (waits.partitioningIndex { $0 > sla }) }

    /// The wait that this share of the answered cases did not exceed (nearest rank); `nil` without
    /// any.
    public func wait(quantile: Double) -> Duration? {
        if waits.isEmpty { return nil }
        let rank = Int((quantile * Double(waits.count)).rounded(.up))
        return waits[min(max(rank, 1), waits.count) - 1]
    }
}

/// A batch of a simulation.
public struct BatchFigures: Sendable, Hashable {
    public var number: Int64
    /// The trigger that sealed it: `count`, `max_age`, …
    public var closedBy: String
    public var sealedAt: Duration
    /// When its generation began, and when its outcomes were there.
    public var generation: Range<Duration>
    /// Ids of its cases, earliest deadline first.
    public var cases: [UUID]
    /// How full it was: cases per `max_batch`; `nil` where the chain has no such setting.
    public var fill: Double?
    /// How long the case that waited most did so, from its first arrival to its outcome; `nil`
    /// where there is none.
    public var longestWait: Duration?
    public init(
        number: Int64, closedBy: String, sealedAt: Duration, generation: Range<Duration>,
        cases: [UUID], fill: Double?, longestWait: Duration? = nil
    ) {
        self.number = number
        self.closedBy = closedBy
        self.sealedAt = sealedAt
        self.generation = generation
        self.cases = cases
        self.fill = fill
        self.longestWait = longestWait
    }
}

/// What came out of a stage.
public struct StageCount: Sendable, Hashable {
    public var id: String
    /// `ingest`, `dedupe`, …
    public let type: String
    public let role: StageRole
    /// What the stage has remarked on its records.
    public let remarks: StageRemarks
    /// Records (behind a generator: outcomes) that reached the stage.
    public var received: Int
    /// Records (outcomes) that it passed on or delivered.
    public var passed: Int
    public init(id: String, of stage: any StagePlugin.Type, received: Int, passed: Int) {
        self.id = id
        type = stage.type
        role = stage.role
        remarks = stage.remarks
        self.received = received
        self.passed = passed
    }
}

/// Records that were refused for good.
public struct DeadLetterCount: Sendable, Hashable {
    public var stage: String
    /// `malformed`, `conflict`, …
    public var code: String
    /// One of the reasons, as the dead letter states it.
    public var example: String
    public var count: Int
    public init(stage: String, code: String, example: String, count: Int) {
        self.stage = stage
        self.code = code
        self.example = example
        self.count = count
    }
}

/// What the generation runs took, beside a run for each case.
public struct GenerationCost: Sendable, Hashable {
    public var runs: Int
    /// Time that the runs took together.
    public var busy: Duration
    /// Time that a run for each case would have taken together.
    public var single: Duration
    public init(runs: Int, busy: Duration, single: Duration) {
        self.runs = runs
        self.busy = busy
        self.single = single
    }
}

extension SimulationReport {
    /// How often each trigger sealed a batch, the most frequent first.
    public var batchesByTrigger: [(trigger: String, batches: Int)] {
        var counts: [String: Int] = [:]
        for batch in batches { counts[batch.closedBy, default: 0] += 1 }
        return counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { (trigger: $0.key, batches: $0.value) }
    }

    /// Whether the chain collects cases at all.
    public var hasBarrier: Bool { !batches.isEmpty || stages.contains { $0.role == .barrier } }

    /// Whether cases are to be answered, or only passed on.
    public var expectsAnswers: Bool {
        generation != nil || !waits.isEmpty || stages.contains { $0.role == .worker }
    }

    /// How many cases a full batch has, if the chain says so.
    public var capacity: Int? {
        guard let batch = batches.first(where: { ($0.fill ?? 0) > 0 }), let fill = batch.fill else {
            return nil
        }
        return Int((Double(batch.cases.count) / fill).rounded())
    }

    /// Cases that batches have taken up.
    public var batchedCases: Int { batches.reduce(0) { $0 + $1.cases.count } }

    /// How full batches were on average; `nil` where fullness has no measure.
    public var meanFill: Double? {
        let fills = batches.compactMap(\.fill)
        return fills.isEmpty ? nil : fills.reduce(0, +) / Double(fills.count)
    }

    /// Records that were refused for good.
    public var deadLettered: Int { deadLetters.reduce(0) { $0 + $1.count } }

    /// Repeats that stages kept from the rest of the chain.
    public var deduplicated: Int {
        stages.filter { $0.remarks.kept == .repeats }.reduce(0) { $0 + kept(by: $1) }
    }

    /// Records that a stage neither passed on nor refused.
    public func kept(by stage: StageCount) -> Int {
        max(0, stage.received - stage.passed - refused(by: stage))
    }

    /// Records that a stage refused for good.
    public func refused(by stage: StageCount) -> Int {
        deadLetters.filter { $0.stage == stage.id }.reduce(0) { $0 + $1.count }
    }
}

extension GenerationCost {
    /// The share of generation time that batching saves; below zero if it costs.
    public var saved: Double { single > .zero ? 1 - busy / single : 0 }

    /// `97 % of generation time saved`.
    package var savingText: String {
        if single <= .zero { return "generation is free" }
        return busy <= single
            ? "\(saved.percent) of generation time saved"
            : "generation takes \((busy / single).times) the time of a run for each case"
    }
}

extension Array {
    /// The first index whose element satisfies `belongs`, in an array that is partitioned by it.
    package func partitioningIndex(where belongs: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if belongs(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

internal import Concurrency
public import Logging
public import PipelineCore
internal import Synchronization

/// Hears what a pipeline does, for metrics. Must not block.
public protocol RuntimeObserver: Sendable {
    /// A stage has passed on a chunk.
    func passed(stage: String, records: Int, took: Duration)
    /// An operation failed and is tried again.
    func retried(_ what: String)
    /// This process has sealed a batch.
    ///
    /// - Parameter fullBatch: how many cases are sealed for their number alone.
    func sealed(stage: String, _ batch: SealedBatch, fullBatch: Int?)
    /// Cases were answered, and their outcomes committed.
    func generated(stage: String, _ cases: [Case], took: Duration, committedAt: Timestamp)
    /// A batch failed; the disposition says what follows.
    func generationFailed(stage: String, _ error: PipelineError)
    /// A sink has delivered a committed batch.
    func delivered(stage: String, outcomes: Int, took: Duration)
    /// This process holds so many leases more, or less, on batches or on deliveries.
    func holds(stage: String, more leases: Int)
    /// Whether another process has a newer rule, so that this one does not seal.
    func seals(stage: String, isOutdated: Bool)
    /// Another process has taken over a delivery.
    func deliveryLost(stage: String)
    /// A sink has refused outcomes of a committed batch for good.
    func parked(stage: String, code: ErrorCode, outcomes: Int)
    /// Whether it wants to be told what waits, which costs the store a question every few seconds.
    var hearsFigures: Bool { get }
    /// What waits; `nil` while nobody knows.
    func figures(_ figures: WaitingFigures?)
    /// How many letters wait in each dead-letter topic, by its name; `nil` while nobody knows.
    func letters(_ counts: [String: Int]?)
}

extension RuntimeObserver {
    public func sealed(stage: String, _ batch: SealedBatch, fullBatch: Int?) {}
    public func holds(stage: String, more leases: Int) {}
    public func seals(stage: String, isOutdated: Bool) {}
    public func deliveryLost(stage: String) {}
    public func parked(stage: String, code: ErrorCode, outcomes: Int) {}
    public var hearsFigures: Bool { false }
    public func figures(_ figures: WaitingFigures?) {}
    public func letters(_ counts: [String: Int]?) {}
}

/// Hears nothing.
public struct SilentObserver: RuntimeObserver {
    public init() {}
    public func passed(stage: String, records: Int, took: Duration) {}
    public func retried(_ what: String) {}
    public func generated(stage: String, _ cases: [Case], took: Duration, committedAt: Timestamp) {}
    public func generationFailed(stage: String, _ error: PipelineError) {}
    public func delivered(stage: String, outcomes: Int, took: Duration) {}
}

/// What waits in a pipeline, for the rule, for workers, sinks and operators.
public struct WaitingFigures: Sendable {
    /// What waits in a ledger.
    public struct Barrier: Sendable {
        public var stage: String
        public var overview: LedgerOverview
        /// When the rule fires and why, if nothing more arrives.
        public var next: (at: Timestamp, closedBy: String)?
        /// How many cases are sealed for their number alone.
        public var fullBatch: Int?
        /// What an operator holds up.
        public var paused: Set<LedgerPart>
    }
    /// `nil` where there is no ledger.
    public var barrier: Barrier?
    /// Outcomes that a sink has refused, by the sink's id.
    public var parked: [String: Int]
    /// Records that the store keeps as dead letters, by the stage that refused them; `nil` where
    /// there is no such store.
    public var deadLetters: [String: Int]?
    public var readAt: Instant
}

/// Asks now and then for what waits, for metrics: figures that other processes change, too.
struct FiguresLoop: Sendable {
    /// How often.
    private static let interval = Duration.seconds(5)
    /// How often buses are asked.
    private static let letterInterval = Duration.seconds(10)

    let graph: PipelineGraph
    let environment: RunEnvironment

    func run() async throws {
        let observer = environment.observer
        guard observer.hearsFigures else { return }
        try await withThrowingTaskGroup(of: Void.self) { group in
            if graph.tail != nil || graph.deadLetters != nil {
                group.addTask {
                    try await tell(each: Self.interval, { observer.figures($0) }, look)
                }
            }
            // A bus that is away keeps nobody from knowing what stores have, and what is wrong with
            // it is told of by whoever needs it.
            if let count = environment.letters {
                group.addTask {
                    let look = { @Sendable in try? await count() }
                    try await tell(each: Self.letterInterval, { observer.letters($0) }, look)
                }
            }
            try await group.waitForAllOrFirstFailure()
        }
    }

    private func tell<Figures: Sendable>(
        each interval: Duration, _ tell: @escaping @Sendable (Figures?) -> Void,
        _ look: @escaping @Sendable () async throws -> Figures?
    ) async throws {
        _ = try await environment.unlessStopped {
            while true {
                do {
                    tell(try await look())
                } catch let error as PipelineError where error.disposition != .fatal {
                    // Others say that the backend is away; old figures would be wrong ones.
                    tell(nil)
                }
                try await environment.clock.sleep(for: interval)
            }
        }
    }

    @Sendable private func look() async throws -> WaitingFigures {
        var figures = WaitingFigures(
            barrier: nil, parked: [:], deadLetters: try await graph.deadLetters?.deadLetterCounts(),
            readAt: environment.clock.now)
        guard let tail = graph.tail else { return figures }
        let barrier = tail.barrier.role
        for sink in tail.sinks { figures.parked[sink.id] = 0 }
        figures.parked.merge(try await barrier.ledger.parkedCounts()) { $1 }
        let overview = try await barrier.ledger.overview()
        figures.barrier = WaitingFigures.Barrier(
            stage: tail.barrier.id, overview: overview,
            next: overview.nextFiring(barrier.decide), fullBatch: barrier.fullBatch,
            paused: Set(try await barrier.ledger.pauses().keys))
        figures.readAt = environment.clock.now
        return figures
    }
}

/// Tells of what is refused: the first of a stage and a code at once, with an example, the others
/// now and then, and those that are left at the end.
public final class RefusalLog: Sendable {
    /// How often a stage and a code are told of at most.
    public static let interval = Duration.seconds(60)
    /// How often to look for what has to be told of.
    static let lookInterval = Duration.seconds(15)

    private struct Kind: Hashable {
        var stage: String
        var code: ErrorCode
    }
    private struct Count {
        var lastTold: Instant
        /// Not told of yet.
        var records = 0
        var latest: Rejection
    }
    private let logger: Logger
    private let clock: PipelineClock
    private let counts = Mutex<[Kind: Count]>([:])
    private let lastKept = Mutex<Instant?>(nil)

    public init(logger: Logger, clock: PipelineClock) {
        self.logger = logger
        self.clock = clock
    }

    public func rejected(_ rejections: [Rejection]) {
        let now = clock.now
        let new = counts.withLock { counts in
            rejections.filter { rejection in
                let kind = Kind(stage: rejection.stage, code: rejection.code)
                guard counts[kind] == nil else {
                    counts[kind]!.records += 1
                    counts[kind]!.latest = rejection
                    return false
                }
                counts[kind] = Count(lastTold: now, latest: rejection)
                return true
            }
        }
        for rejection in new { tell("record refused", rejection, 1) }
        summarize()
    }

    /// Tells of dead letters that their topic did not take.
    public func keptElsewhere(
        _ count: Int, of input: String, in place: String, because error: PipelineError
    ) {
        let now = clock.now
        let isDue = lastKept.withLock { last in
            if let last, last.duration(to: now) < Self.interval { return false }
            last = now
            return true
        }
        guard isDue else { return }
        logger.warning(
            "dead letters are not taken by their topic: they are kept elsewhere",
            metadata: [
                "topic": "\(input)", "place": "\(place)", "records": "\(count)",
                "error": "\(error)",
            ])
    }

    /// Tells of what has been refused since it was last told of, until the task is cancelled; then
    /// of what is left.
    public func run() async {
        while (try? await clock.sleep(for: Self.lookInterval)) != nil { summarize() }
        summarize(all: true)
    }

    /// - Parameter all: even where it was told of a moment ago.
    private func summarize(all: Bool = false) {
        let now = clock.now
        let due = counts.withLock { counts in
            let due = counts.filter {
                $0.value.records > 0
                    && (all || $0.value.lastTold.duration(to: now) >= Self.interval)
            }
            for kind in due.keys {
                counts[kind]!.lastTold = now
                counts[kind]!.records = 0
            }
            return due.sorted {
                ($0.key.stage, $0.key.code.name) < ($1.key.stage, $1.key.code.name)
            }
        }
        for (_, count) in due { tell("records refused", count.latest, count.records) }
    }

    private func tell(_ message: Logger.Message, _ rejection: Rejection, _ records: Int) {
        var metadata: Logger.Metadata = [
            "stage": "\(rejection.stage)", "code": "\(rejection.code)",
            "records": "\(records)", "reason": "\(rejection.reason)",
            "origin": "\(rejection.record.origin)",
        ]
        if let trace = rejection.record.trace { metadata["trace_id"] = "\(trace.traceID)" }
        logger.warning(message, metadata: metadata)
    }
}

public import Logging
public import PipelineCore
internal import Synchronization

/// Hears what a pipeline does, for metrics. Must not block.
public protocol RuntimeObserver: Sendable {
    /// A stage has passed on a chunk.
    func passed(stage: String, records: Int, took: Duration)
    /// An operation failed and is tried again.
    func retried(_ what: String)
    /// A batch was generated and committed.
    func generated(stage: String, cases: Int, took: Duration, late: Int)
    /// A batch failed; the disposition says what follows.
    func generationFailed(stage: String, _ error: PipelineError)
    /// A sink has delivered a committed batch.
    func delivered(stage: String, outcomes: Int, took: Duration)
    /// A sink has refused outcomes of a committed batch for good.
    func parked(stage: String, code: ErrorCode, outcomes: Int)
    /// How many outcomes are parked for each sink, and how many dead letters of each stage the
    /// store keeps; `nil` while nobody knows, or where there is no store.
    func figures(parked: [String: Int]?, deadLetters: [String: Int]?)
}

extension RuntimeObserver {
    public func parked(stage: String, code: ErrorCode, outcomes: Int) {}
    public func figures(parked: [String: Int]?, deadLetters: [String: Int]?) {}
}

/// Hears nothing.
public struct SilentObserver: RuntimeObserver {
    public init() {}
    public func passed(stage: String, records: Int, took: Duration) {}
    public func retried(_ what: String) {}
    public func generated(stage: String, cases: Int, took: Duration, late: Int) {}
    public func generationFailed(stage: String, _ error: PipelineError) {}
    public func delivered(stage: String, outcomes: Int, took: Duration) {}
}

/// Asks now and then for what waits for an operator, for metrics: figures that other processes
/// change, too.
struct FiguresLoop: Sendable {
    /// How often.
    private static let interval = Duration.seconds(15)

    let graph: PipelineGraph
    let environment: RunEnvironment

    func run() async throws {
        if graph.tail == nil, graph.deadLetters == nil { return }
        _ = try await environment.unlessStopped {
            while true {
                do {
                    try await look()
                } catch let error as PipelineError where error.disposition != .fatal {
                    // Others say that the store is away; old figures would be wrong ones.
                    environment.observer.figures(parked: nil, deadLetters: nil)
                }
                try await environment.clock.sleep(for: Self.interval)
            }
        }
    }

    private func look() async throws {
        var parked: [String: Int] = [:]
        for sink in graph.tail?.sinks ?? [] { parked[sink.id] = 0 }
        parked.merge(try await graph.tail?.barrier.role.ledger.parkedCounts() ?? [:]) { $1 }
        environment.observer.figures(
            parked: parked, deadLetters: try await graph.deadLetters?.deadLetterCounts())
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
        logger.warning(
            message,
            metadata: [
                "stage": "\(rejection.stage)", "code": "\(rejection.code)",
                "records": "\(records)", "reason": "\(rejection.reason)",
                "origin": "\(rejection.record.origin)",
            ])
    }
}

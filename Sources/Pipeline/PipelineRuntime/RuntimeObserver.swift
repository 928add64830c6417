public import PipelineCore

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

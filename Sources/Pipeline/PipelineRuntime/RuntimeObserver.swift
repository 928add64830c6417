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
    func parked(stage: String, code: String, outcomes: Int)
    /// How many outcomes are parked for each sink, and how many dead letters of each stage the store keeps; `nil` while
    /// nobody knows, or where there is no store.
    func figures(parked: [String: Int]?, deadLetters: [String: Int]?)
}

extension RuntimeObserver {
    public func parked(stage: String, code: String, outcomes: Int) {}
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

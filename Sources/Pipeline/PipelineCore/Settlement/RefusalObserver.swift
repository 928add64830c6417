/// Hears what a pipeline refuses for good and what became of it, for metrics and the log. Must not block.
public protocol RefusalObserver: Sendable {
    /// Records were refused, and are kept or their callers are told.
    func rejected(_ rejections: [Rejection])
    /// So many dead letters were not taken by their topic and lie in `place` (`store` or `file`).
    func keptElsewhere(_ count: Int, of input: String, in place: String, because: PipelineError)
    /// Nothing takes the dead letters of these partitions of an input: they rest. None: all go on.
    func resting(_ partitions: [Int32], of input: String, because: PipelineError?)
}

/// Hears nothing.
public struct SilentRefusalObserver: RefusalObserver {
    public init() {}
    public func rejected(_ rejections: [Rejection]) {}
    public func keptElsewhere(
        _ count: Int, of input: String, in place: String, because: PipelineError
    ) {}
    public func resting(_ partitions: [Int32], of input: String, because: PipelineError?) {}
}

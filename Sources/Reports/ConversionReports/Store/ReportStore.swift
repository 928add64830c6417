public import PipelineCore

/// Where events are kept, counted once, and summed up for reports.
///
/// A report's counts are what the store's rollups, the deltas not yet folded into them and the
/// events at the period's edges add up to; each event is in exactly one of them for any reader,
/// since each statement or transaction here moves it in one step.
public protocol ReportStore: PositionStore {
    /// The same store, whose positions are those of a stage: other stages and other pipelines have their own.
    func owned(byPipeline pipeline: String, stage: String) -> any ReportStore

    /// Creates or updates the tables. Safe to run again, and by two processes at once.
    func migrate() async throws

    /// Stores events, their hour deltas and the advance of the positions they were read at: all or
    /// nothing.
    ///
    /// Exactly once by positions: a chunk whose positions have been advanced already (an answer was
    /// lost on its way) succeeds and writes nothing. Without advances (sample data) every call
    /// appends.
    ///
    /// - Throws: ``PipelineError`` `fenced` `position-moved` when another process has taken over
    ///   one of the inputs; `retryable` while the store can't be reached. Nothing has been written,
    ///   or (if an answer was lost) everything.
    func append(_ events: EventBatch, advances: [PositionAdvance]) async throws

    /// Stores the events and takes them back again: says whether the store takes them.
    ///
    /// - Throws: ``PipelineError`` `permanent` when it refuses something in them for what it is.
    func tryAppending(_ events: EventBatch) async throws

    /// Moves up to `limit` deltas into the rollups. One folder at a time: others leave at once.
    ///
    /// Reports do not depend on it; it keeps the deltas few.
    func fold(limit: Int) async throws -> FoldResult

    /// Answers all queries in one statement over one snapshot; equal ones are computed once.
    func read(_ queries: [ConversionQuery]) async throws -> ConversionReading

    /// Closes connections of the store's own; those it was given stay open.
    func close() async
}

extension ReportStore {
    public func close() async {}
}

/// What became of a call to fold.
public enum FoldResult: Sendable, Hashable {
    /// So many deltas were moved; fewer than asked for: there are no more.
    case folded(Int)
    /// Somebody else is folding.
    case busy
}

/// Rolls a transaction back that was made to be.
struct TakenBack: Error {}

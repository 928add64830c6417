internal import Synchronization

/// How an acknowledgement ended.
public enum Settlement: Sendable {
    /// Everything that was not rejected is safe downstream.
    case acknowledged
    /// Nothing is promised: the source delivers it again, or tells its caller.
    case failed(PipelineError)
}

/// What a source does when one of its chunks settles.
public protocol AcknowledgementHandler: Sendable {
    /// Puts refused records where an operator finds them (or where their caller does), durably,
    /// before it returns.
    func reject(_ rejections: [Rejection]) async throws
    /// Called once, after every rejection has returned. Must not block.
    func settled(_ settlement: Settlement)
    /// Whether anybody still waits for the settlement: what failed is not tried again for nobody.
    var isAwaited: Bool { get }
}

extension AcknowledgementHandler {
    /// A source waits for as long as it takes.
    public var isAwaited: Bool { true }
}

/// The obligation to settle a chunk exactly once.
///
/// Settling twice is a programmer's error and traps; dropping an acknowledgement unsettled counts
/// as a failure, so that an input is never believed to be safe by mistake.
public final class Acknowledgement: Sendable {
    private struct State {
        var settlement: Settlement?
        var observers: [@Sendable (Settlement) -> Void] = []
        var rejected: Set<Int> = []
        var followers: [Int: [Record]] = [:]
    }
    private let state = Mutex(State())
    private let handler: any AcknowledgementHandler
    private let refusals: (any RefusalObserver)?

    /// - Parameter refusals: hears what is refused; for an acknowledgement that stands at a
    ///   pipeline's edge.
    public init(_ handler: any AcknowledgementHandler, refusals: (any RefusalObserver)? = nil) {
        self.handler = handler
        self.refusals = refusals
    }

    deinit {
        let error = PipelineError.retryable(.dropped, "the chunk was dropped before it settled")
        _ = finish(.failed(error))
    }

    /// Refuses records for good. Returns once they lie in the dead letters (or their callers will
    /// be told).
    public func reject(_ rejections: [Rejection]) async throws {
        if rejections.isEmpty { return }
        let all = state.withLock { state in
            rejections.flatMap { rejection in
                let followers = state.followers[rejection.record.ordinal] ?? []
                return [rejection]
                    + followers.map { record in
                        var copy = rejection
                        copy.record = record
                        return copy
                    }
            }
        }
        try await handler.reject(all)
        refusals?.rejected(all)
        // Only now: while rejecting fails it is tried again, and followers with it.
        state.withLock { state in
            for rejection in rejections { state.followers[rejection.record.ordinal] = nil }
            state.rejected.formUnion(all.map(\.record.ordinal))
        }
    }

    /// `record`, a repeat inside the same chunk, shares the fate of the record with that ordinal.
    public func follow(_ leader: Int, _ record: Record) {
        state.withLock { $0.followers[leader, default: []].append(record) }
    }

    /// The ordinals of the records that were refused.
    public var rejectedOrdinals: Set<Int> { state.withLock { $0.rejected } }

    /// Whether anybody still waits for the settlement.
    public var isAwaited: Bool { handler.isAwaited }

    public var isSettled: Bool { state.withLock { $0.settlement != nil } }

    public func settle(_ settlement: Settlement) {
        precondition(finish(settlement), "an acknowledgement is settled exactly once")
    }

    /// Answers whether this was the first settlement: another one changes nothing.
    private func finish(_ settlement: Settlement) -> Bool {
        let first: [@Sendable (Settlement) -> Void]? = state.withLock { state in
            if state.settlement != nil { return nil }
            state.settlement = settlement
            defer { state.observers = [] }
            return state.observers
        }
        guard let observers = first else { return false }
        handler.settled(settlement)
        for observer in observers { observer(settlement) }
        return true
    }

    /// Runs `observer` once, when the acknowledgement settles; at once if it has. Must not block.
    public func observe(_ observer: @escaping @Sendable (Settlement) -> Void) {
        let settled = state.withLock { state in
            if state.settlement == nil { state.observers.append(observer) }
            return state.settlement
        }
        if let settled { observer(settled) }
    }
}

/// Hears what a pipeline refuses for good and what became of it, for metrics and the log. Must not
/// block.
public protocol RefusalObserver: Sendable {
    /// Records were refused, and are kept or their callers are told.
    func rejected(_ rejections: [Rejection])
    /// So many dead letters were not taken by their topic and lie in `place` (`store` or `file`).
    func keptElsewhere(_ count: Int, of input: String, in place: String, because: PipelineError)
    /// Nothing takes the dead letters of these partitions of an input: they are paused. None: all
    /// go on.
    func paused(_ partitions: [Int32], of input: String, because: PipelineError?)
}

/// Hears nothing.
public struct SilentRefusalObserver: RefusalObserver {
    public init() {}
    public func rejected(_ rejections: [Rejection]) {}
    public func keptElsewhere(
        _ count: Int, of input: String, in place: String, because: PipelineError
    ) {}
    public func paused(_ partitions: [Int32], of input: String, because: PipelineError?) {}
}

public import PipelineCore
internal import Synchronization

/// `publish` to a report store: stores the conversion events of a chunk and the positions they were
/// read at in one transaction, so that each event counts once whatever is repeated. Folds deltas
/// now and then.
///
/// Inputs without positions (a file, a call) are stored at least once: a repeat after a lost answer
/// counts again.
public final class EventStoreSink: RecordSink {
    /// When deltas are folded.
    public struct Cadence: Sendable, Hashable {
        /// After this many events…
        public var events: Int
        /// … or this long after the last time, whichever comes first.
        public var interval: Duration
        /// Most deltas in one fold, which bounds how long a chunk waits for it.
        public var limit: Int
        public init(events: Int = 20_000, interval: Duration = .seconds(10), limit: Int = 50_000) {
            self.events = events
            self.interval = interval
            self.limit = limit
        }
    }

    private struct State {
        var unfolded = 0
        var lastFold: Instant
    }

    private let store: any ReportStore
    private let stage: String
    private let cadence: Cadence
    private let clock: PipelineClock
    private let onFold: @Sendable ((any Error)?) -> Void
    private let onRefusals: @Sendable (PipelineError?) -> Void
    private let onUnfolded: @Sendable (Int) -> Void
    /// Deltas are counted up to so many.
    private static let countedDeltas = 100_000
    private let state: Mutex<State>

    /// - Parameters:
    ///   - stage: the stage's id, for rejections.
    ///   - onFold: told of each fold, with the error of one that failed. The events are safe and
    ///     reports are right without it, so the sink goes on and tries again later.
    ///   - onUnfolded: told how many deltas a fold has left, counted up to 100,000.
    ///   - onRefusals: told of each chunk that the store refuses to the last event, all for one
    ///     reason, and with `nil` of each of which it takes some.
    public init(
        store: any ReportStore, stage: String, cadence: Cadence = Cadence(), clock: PipelineClock,
        onUnfolded: @escaping @Sendable (Int) -> Void = { _ in },
        onRefusals: @escaping @Sendable (PipelineError?) -> Void = { _ in },
        onFold: @escaping @Sendable ((any Error)?) -> Void = { _ in }
    ) {
        self.store = store
        self.stage = stage
        self.cadence = cadence
        self.clock = clock
        self.onFold = onFold
        self.onRefusals = onRefusals
        self.onUnfolded = onUnfolded
        state = Mutex(State(lastFold: clock.now))
    }

    public var positions: (any PositionStore)? { store }

    /// - Throws: As ``ReportStore/append(_:advances:)``. A chunk that has been stored already
    ///   succeeds again.
    public func deliver(_ chunk: Chunk) async throws {
        var (events, rejections) = read(chunk.records[...])
        if !rejections.isEmpty { try await chunk.acknowledgement.reject(rejections) }
        do {
            try await store.append(events, advances: chunk.advances)
        } catch let error as PipelineError where error.disposition == .permanent {
            if events.isEmpty { throw error }
            events = try await rejectRefused(of: chunk, as: error)
            try await store.append(events, advances: chunk.advances)
        }
        if events.count > 0 { onRefusals(nil) }
        await foldIfDue(stored: events.count)
    }

    private func read(_ records: ArraySlice<Record>) -> (EventBatch, [Rejection]) {
        var events = EventBatch()
        events.reserveCapacity(records.count)
        var rejections: [Rejection] = []
        for record in records {
            do {
                try events.append(canonical: record.body)
            } catch {
                rejections.append(error.rejection(of: record, stage: stage))
            }
        }
        return (events, rejections)
    }

    /// Rejects the events that the store refuses for what they are; answers the others.
    ///
    /// Nothing is stored on the way: events count once by the positions that advance with them.
    private func rejectRefused(of chunk: Chunk, as error: PipelineError) async throws -> EventBatch
    {
        let refused = try await chunk.records.refused(as: error) { part in
            try await store.tryAppending(read(part).0)
        }
        if chunk.records.areRefusedAlike(refused) { onRefusals(refused[0].error) }
        try await chunk.acknowledgement.reject(
            refused.map { record, error in
                Rejection(record, stage: stage, code: error.code, reason: error.message)
            })
        let ordinals = Set(refused.map(\.record.ordinal))
        return read(chunk.records.filter { !ordinals.contains($0.ordinal) }[...]).0
    }

    public func close() async { await fold() }

    private func foldIfDue(stored: Int) async {
        let now = clock.now
        let isDue = state.withLock { state in
            state.unfolded += stored
            guard state.unfolded > 0 else { return false }
            return state.unfolded >= cadence.events
                || state.lastFold.duration(to: now) >= cadence.interval
        }
        if isDue { await fold() }
    }

    private func fold() async {
        let now = clock.now
        state.withLock { state in
            state.unfolded = 0
            state.lastFold = now
        }
        do {
            let result = try await store.fold(limit: cadence.limit)
            onFold(nil)
            // There are more: go on after the next chunk.
            if result == .folded(cadence.limit) {
                state.withLock { $0.unfolded = cadence.events }
                onUnfolded(try await store.unfolded(limit: Self.countedDeltas))
            } else if result != .busy {
                onUnfolded(0)
            }
        } catch {
            onFold(error)
        }
    }
}

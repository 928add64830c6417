public import PipelineCore
internal import Synchronization

/// A reader of cases in memory that counts its statements.
public final class FakeCases: CaseReader {
    /// How many ids each statement asked for.
    public let statements = Journal<Int>()
    /// How often the schedule was asked for.
    public let scheduleLooks = Journal<Void>()
    /// What statements fail with.
    public let failures = Failures()
    public let outcomesCommitted = Signal()
    private struct State {
        var cases: [UUID: CaseSnapshot] = [:]
        var sealing = ExpectedSealing(at: nil, clock: Timestamp(microseconds: 0))
    }
    private let state = Mutex(State())

    public init() {}

    /// The case is known, and stands so.
    public func put(
        _ number: Int, _ caseState: CaseState, outcome: Outcome? = nil, revision: Int = 1,
        deadline: Timestamp = Timestamp(microseconds: 86_400_000_000)
    ) {
        state.withLock {
            $0.cases[.testing(number)] = CaseSnapshot(
                id: .testing(number), revision: outcome?.revision ?? revision, state: caseState,
                acceptedAt: Timestamp(microseconds: 0),
                deadline: deadline, outcome: outcome)
        }
    }

    /// When the open batch will be sealed, and the store's clock.
    public func expectSealing(at time: Timestamp?, clock: Timestamp) {
        state.withLock { $0.sealing = ExpectedSealing(at: time, clock: clock) }
    }

    public func snapshots(of ids: [UUID]) async throws -> [UUID: CaseSnapshot] {
        statements.note(ids.count)
        try failures.throwNext()
        return state.withLock { state in
            Dictionary(
                uniqueKeysWithValues: ids.compactMap { id in state.cases[id].map { (id, $0) } })
        }
    }

    public func expectedSealing() async throws -> ExpectedSealing {
        scheduleLooks.note(())
        try failures.throwNext()
        return state.withLock { $0.sealing }
    }
}

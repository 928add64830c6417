internal import Concurrency
public import PipelineCore
internal import Synchronization

/// A time source that moves only when a test moves it.
///
/// Monotonic and civil time move together. Sleepers are resumed in the order of their deadlines,
/// and of their arrival where those are equal.
public final class ManualClock: TimeSource {
    private struct Sleeper {
        var id: UInt64
        var deadline: Instant
        var resumption: Resumption<Void>
    }
    private struct State {
        var now: Instant
        var timestamp: Timestamp
        var nextID: UInt64 = 0
        var sleepers: [Sleeper] = []
    }
    private let state: Mutex<State>
    private let fellAsleep = Signal()

    /// Starts at `timestamp`; by default at 2026-01-01T00:00:00Z.
    public init(timestamp: Timestamp = Timestamp(microseconds: 1_767_225_600_000_000)) {
        state = Mutex(State(now: Instant(nanoseconds: 0), timestamp: timestamp))
    }

    /// The clock to hand to what is tested.
    public var clock: PipelineClock { PipelineClock(self) }

    public var now: Instant { state.withLock { $0.now } }
    public var timestamp: Timestamp { state.withLock { $0.timestamp } }

    /// How many tasks are asleep.
    public var sleeperCount: Int { state.withLock { $0.sleepers.count } }

    /// Moves time on and resumes whoever's deadline has come.
    public func advance(by duration: Duration) {
        precondition(duration >= .zero, "time does not run backwards")
        let due = state.withLock { state in
            state.now = state.now.advanced(by: duration)
            state.timestamp = state.timestamp.advanced(by: duration)
            let due = state.sleepers.filter { $0.deadline <= state.now }
            state.sleepers.removeAll { $0.deadline <= state.now }
            return due.sorted { ($0.deadline, $0.id) < ($1.deadline, $1.id) }
        }
        for sleeper in due { sleeper.resumption.resume(returning: ()) }
    }

    /// Returns once at least `count` tasks are asleep: the moment to move time on. For one task at
    /// a time.
    /// - Throws: `CancellationError`.
    public func sleepers(atLeast count: Int = 1) async throws {
        while sleeperCount < count { try await fellAsleep.wait() }
    }

    public func sleep(until deadline: Instant) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<Void>) in
                add(Sleeper(id: id, deadline: deadline, resumption: resumption))
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                state.sleepers.firstIndex { $0.id == id }.map { state.sleepers.remove(at: $0) }
            }
            sleeper?.resumption.resume(throwing: CancellationError())
        }
    }

    private func add(_ sleeper: Sleeper) {
        let result: Result<Void, any Error>? = state.withLock { state in
            if Task.isCancelled { return .failure(CancellationError()) }
            if sleeper.deadline <= state.now { return .success(()) }
            state.sleepers.append(sleeper)
            return nil
        }
        if let result { sleeper.resumption.resume(with: result) } else { fellAsleep.send() }
    }
}

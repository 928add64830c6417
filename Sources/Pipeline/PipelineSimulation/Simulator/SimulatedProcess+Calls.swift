internal import Concurrency
public import PipelineCore
internal import Synchronization

/// How one call to something outside of the process goes.
public struct CallFate: Sendable {
    public enum End: Sendable {
        case answered
        /// Refused before anything happened.
        case refused(PipelineError)
        /// Done, but the caller hears of an error.
        case lost(PipelineError)
    }
    /// Until it happens.
    public var request: Duration
    /// From then until the caller knows.
    public var answer: Duration
    public var end: End
    public init(request: Duration, answer: Duration, end: End) {
        self.request = request
        self.answer = answer
        self.end = end
    }
}

/// What calls of a process that has been reaped fail with.
private struct ProcessEnded: Error {}

extension SimulatedProcess {
    /// A request to something that outlives this process: `body` runs in the world, whatever
    /// becomes of the caller.
    ///
    /// A killed caller never sees the answer, a cancelled one stops waiting for it: the effect
    /// stays.
    public func call<T: Sendable>(
        _ fate: CallFate, _ body: @escaping @Sendable () throws -> T
    ) async throws -> T {
        if isGhost { throw ProcessEnded() }
        return try await suspend { [self] resume in
            simulator.schedule(after: fate.request) { [self] in
                let result: Result<T, any Error>
                switch fate.end {
                case .answered: result = Result { try body() }
                case .refused(let error): result = .failure(error)
                case .lost(let error):
                    _ = try? body()
                    result = .failure(error)
                }
                simulator.schedule(after: fate.answer, owner: self) { resume(result) }
            }
            return nil
        }
    }

    /// Suspends the current task until `resume` is called, or the task is cancelled.
    /// - Parameter arrange: answers the timer to be cancelled when the task goes on.
    func suspend<T: Sendable>(
        _ arrange: (@escaping @Sendable (Result<T, any Error>) -> Void) -> UInt64?
    ) async throws -> T {
        let slot = AnswerSlot<T>()
        var timer: UInt64?
        defer { if let timer { simulator.cancel(timer) } }
        return try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<T>) in
                guard slot.wait(resumption) else { return }
                timer = arrange { slot.resume($0) }
            }
        } onCancel: {
            slot.resume(.failure(CancellationError()))
        }
    }
}

/// A resumption that the first of answer and cancellation resumes.
private final class AnswerSlot<T: Sendable>: Sendable {
    private enum State {
        case new
        case waiting(Resumption<T>)
        case resumed
    }
    private let state = Mutex(State.new)

    /// False, and resumed, if it has been cancelled already.
    func wait(_ resumption: Resumption<T>) -> Bool {
        let waits = state.withLock { state in
            guard case .new = state else { return false }
            state = .waiting(resumption)
            return true
        }
        if !waits { resumption.resume(throwing: CancellationError()) }
        return waits
    }

    func resume(_ result: Result<T, any Error>) {
        let taken: Resumption<T>? = state.withLock { state in
            defer { state = .resumed }
            if case .waiting(let resumption) = state { return resumption }
            return nil
        }
        taken?.resume(with: result)
    }
}

/// How calls to one resource go: how long they take, and how often they fail.
///
/// Faults are attached to calls, not to hours: what matters happens between two calls.
public struct CallConditions: Sendable {
    /// How long a request, and an answer, takes to arrive.
    public var delay: ClosedRange<Duration> = .microseconds(100) ... .milliseconds(3)
    /// Share of calls that take up to ``longDelay`` instead.
    public var slow = 0.0
    public var longDelay: Duration = .seconds(20)
    /// Share of calls that are refused before anything happens.
    public var refused = 0.0
    /// Share of calls that are done and whose answer is lost.
    public var lost = 0.0
    /// Times during which every call is refused.
    public var outages: [Range<Instant>] = []
    /// From then on nothing fails any more.
    public var faultsEnd = Instant(nanoseconds: .max)
    public init() {}

    /// Calls take no time and never fail.
    public static var ideal: CallConditions {
        var conditions = CallConditions()
        conditions.delay = .zero ... .zero
        return conditions
    }
    var isIdeal: Bool {
        delay.upperBound == .zero && slow == 0 && refused == 0 && lost == 0 && outages.isEmpty
    }

    /// Draws how a call made now goes.
    /// - Parameter error: what a refused call, and one whose answer is lost, fails with.
    public func fate(in simulator: Simulator, _ error: PipelineError) -> CallFate {
        let now = simulator.now
        let hasEnded = now >= faultsEnd
        var fate = CallFate(
            request: simulator.duration(delay), answer: simulator.duration(delay), end: .answered)
        if hasEnded { return fate }
        if simulator.chance(slow) { fate.request = simulator.duration(.zero...longDelay) }
        if simulator.chance(slow) { fate.answer = simulator.duration(.zero...longDelay) }
        if simulator.chance(refused) || outages.contains(where: { $0.contains(now) }) {
            fate.end = .refused(error)
        } else if simulator.chance(lost) {
            fate.end = .lost(error)
        }
        return fate
    }
}

/// A resource that simulated processes share: its effects outlive whoever asked for them.
///
/// Outside of simulated processes calls are made at once, without faults.
struct SharedResource: Sendable {
    let conditions: CallConditions
    /// What failing calls fail with.
    let error: PipelineError

    func call<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        guard !conditions.isIdeal, let process = SimulatedProcess.current else { return try body() }
        return try await process.call(conditions.fate(in: process.simulator, error), body)
    }
}

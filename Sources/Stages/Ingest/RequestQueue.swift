internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// Where callers' requests enter: whoever calls meanwhile shares a chunk, so that load makes
/// batches of itself.
///
/// A caller has an answer within ``patience``, whatever keeps the pipeline. One whose request had
/// not been taken yet learns that nothing was accepted, and it is not taken any more. One whose
/// request was on its way learns that its acceptance is not known: an attempt that had begun may
/// still succeed, and none begins after that. Repeating the call with the same `case_id` is right
/// in both cases. While an operator has paused the intake nothing is taken, and who calls is told
/// so at once.
final class RequestQueue: RequestPort, Source {
    /// Callers that wait to be taken in; more are turned away at once.
    static let maxWaiting = 16_384
    static let patience: Duration = .milliseconds(1_500)

    private struct Waiting {
        let record: Record
        let caller: Caller
    }
    private struct State {
        var waiting: [Waiting] = []
        /// Callers in the order of their coming, with the time at which their patience ends;
        /// answered ones included.
        var patient: [(end: Instant, caller: Caller)] = []
        var blockingError: PipelineError?
        var isShut = false

        /// Why nothing is taken, if an operator wants it so.
        var pause: PipelineError? {
            blockingError?.code == .intakePaused ? blockingError : nil
        }
    }
    private let state = Mutex(State())
    private let arrivals = Signal()
    private let patienceBegins = Signal()
    private let maxChunk: Int
    private let intake: Intake

    private var clock: PipelineClock { intake.context.clock }

    init(maxChunk: Int, intake: Intake) {
        self.maxChunk = maxChunk
        self.intake = intake
    }

    func submit(_ record: Record) async throws -> SubmissionResult {
        let caller = Caller()
        return try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<SubmissionResult>) in
                guard caller.waits(resumption) else { return }
                let end = clock.now.advanced(by: Self.patience)
                let (refusal, isFirst) = state.withLock { state -> (PipelineError?, Bool) in
                    if state.isShut { return (Self.shuttingDown, false) }
                    if let pause = state.pause { return (.notAccepted(pause.message), false) }
                    if state.waiting.count >= Self.maxWaiting {
                        return (
                            .retryable(
                                .overloaded, "too many requests wait; try again later"), false
                        )
                    }
                    state.waiting.append(Waiting(record: record, caller: caller))
                    state.patient.append((end, caller))
                    return (nil, state.patient.count == 1)
                }
                if let refusal { return caller.answer(.failure(refusal)) }
                arrivals.send()
                if isFirst { patienceBegins.send() }
            }
        } onCancel: {
            caller.answer(.failure(CancellationError()))
        }
    }

    func run(into outlet: Outlet) async throws {
        while true {
            let taken = state.withLock { state in
                let taken = state.pause == nil ? Array(state.waiting.prefix(maxChunk)) : []
                state.waiting.removeFirst(taken.count)
                return taken.filter { $0.caller.isTaken() }
            }
            if taken.isEmpty {
                do { try await arrivals.wait() } catch { return shut() }
                continue
            }
            let acknowledgement = intake.acknowledgement(
                RequestAcknowledgement(taken.map(\.caller)))
            let records = taken.enumerated().map { index, waiting in
                var record = waiting.record
                record.ordinal = index
                return record
            }
            do {
                try await intake.send(
                    records, advances: [], acknowledgement: acknowledgement, into: outlet)
            } catch {
                acknowledgement.settle(.failed(Self.shuttingDown))
                shut()
                if error is CancellationError { return }
                throw error
            }
        }
    }

    func blocked(by error: PipelineError?) {
        let isOver = state.withLock { state in
            defer { state.blockingError = error }
            return state.pause != nil
        }
        if isOver { arrivals.send() }
    }

    /// Answers those whose patience is over.
    func run() async throws {
        while true {
            let next = state.withLock { state -> Instant? in
                let answered = state.patient.prefix { !$0.caller.isWaiting }.count
                state.patient.removeFirst(answered)
                return state.patient.first?.end
            }
            guard let next else {
                try await patienceBegins.wait()
                continue
            }
            try await clock.sleep(until: next)
            let now = clock.now
            let (late, blockingError) = state.withLock { state in
                let late = state.patient.prefix { $0.end <= now }
                state.patient.removeFirst(late.count)
                state.waiting.removeAll { !$0.caller.isWaiting }
                return (late.map(\.caller), state.blockingError)
            }
            let reason =
                blockingError?.message
                ?? "the request was not taken in within \(Self.patience): the store does not answer, or is busy"
            for caller in late { caller.loses(patience: reason) }
        }
    }

    /// Turns away who waits, and who comes.
    private func shut() {
        let waiting = state.withLock { state in
            state.isShut = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiting in waiting { waiting.caller.answer(.failure(Self.shuttingDown)) }
    }

    func close() async { shut() }

    fileprivate static let shuttingDown = PipelineError.retryable(
        .shuttingDown, "the service is shutting down; nothing was accepted: try again")
}

/// One caller, who is answered once, by whoever comes first.
private final class Caller: Sendable {
    private struct State {
        var resumption: Resumption<SubmissionResult>?
        var isAnswered = false
        var isTaken = false
    }
    private let state = Mutex(State())

    var isWaiting: Bool { state.withLock { !$0.isAnswered } }

    /// - Returns: `false` for one that was cancelled before; it is answered already.
    func waits(_ resumption: Resumption<SubmissionResult>) -> Bool {
        let isLate = state.withLock { state in
            if !state.isAnswered { state.resumption = resumption }
            return state.isAnswered
        }
        if isLate { resumption.resume(throwing: CancellationError()) }
        return !isLate
    }

    /// The request goes into a chunk, unless its caller has been answered.
    func isTaken() -> Bool {
        state.withLock { state in
            state.isTaken = !state.isAnswered
            return state.isTaken
        }
    }

    func answer(_ result: Result<SubmissionResult, any Error>) {
        let resumption = state.withLock { state in
            state.isAnswered = true
            return state.resumption.take()
        }
        resumption?.resume(with: result)
    }

    func loses(patience reason: String) {
        let isTaken = state.withLock { $0.isTaken }
        answer(.failure(isTaken ? .acceptanceUnknown(reason) : .notAccepted(reason)))
    }
}

extension Error where Self == PipelineError {
    fileprivate static func notAccepted(_ reason: String) -> PipelineError {
        .retryable(.notAccepted, "\(reason); nothing was accepted: try again")
    }
    fileprivate static func acceptanceUnknown(_ reason: String) -> PipelineError {
        .retryable(
            .acceptanceUnknown,
            "\(reason); whether the request was accepted is not known: repeat it with the same case_id"
        )
    }
}

/// Answers the callers of one chunk.
private final class RequestAcknowledgement: AcknowledgementHandler {
    private let callers: [Caller]

    init(_ callers: [Caller]) { self.callers = callers }

    var isAwaited: Bool { callers.contains { $0.isWaiting } }

    func reject(_ rejections: [Rejection]) async throws {
        for rejection in rejections {
            callers[rejection.record.ordinal].answer(.success(.rejected(rejection)))
        }
    }

    func settled(_ settlement: Settlement) {
        switch settlement {
        case .acknowledged: for caller in callers { caller.answer(.success(.accepted)) }
        case .failed(let error):
            let isSure = error.code == RequestQueue.shuttingDown.code
            let told = isSure ? error : PipelineError.acceptanceUnknown(error.message)
            for caller in callers { caller.answer(.failure(told)) }
        }
    }
}

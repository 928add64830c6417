internal import PipelineCore
internal import Synchronization

/// Where callers' requests enter: whoever calls meanwhile shares a chunk, so that load makes batches of itself.
final class RequestGate: RequestPort, Source {
    /// Callers that wait to be taken in; more are turned away at once.
    static let maxWaiting = 16_384

    private struct Waiting {
        let record: Record
        let resumption: Resumption<SubmissionResult>
    }
    private struct State {
        var waiting: [Waiting] = []
        var isShut = false
    }
    private let state = Mutex(State())
    private let arrivals = Doorbell()
    private let name: String
    private let maxChunk: Int
    private let intake: Intake

    init(name: String, maxChunk: Int, intake: Intake) {
        self.name = name
        self.maxChunk = maxChunk
        self.intake = intake
    }

    func submit(_ record: Record) async throws -> SubmissionResult {
        try await suspended { (resumption: Resumption<SubmissionResult>) in
            let refusal: PipelineError? = state.withLock { state in
                if state.isShut { return Self.shuttingDown }
                if state.waiting.count >= Self.maxWaiting {
                    return .retryable("overloaded", "too many requests wait; try again later")
                }
                state.waiting.append(Waiting(record: record, resumption: resumption))
                return nil
            }
            if let refusal { resumption.resume(throwing: refusal) } else { arrivals.ring() }
        }
    }

    func run(into outlet: Outlet) async throws {
        while true {
            let taken = state.withLock { state in
                let taken = Array(state.waiting.prefix(maxChunk))
                state.waiting.removeFirst(taken.count)
                return taken
            }
            if taken.isEmpty {
                do { try await arrivals.wait() } catch { return shut() }
                continue
            }
            let delivery = intake.delivery(GateDelivery(taken.map(\.resumption)))
            let records = taken.enumerated().map { index, waiting in
                var record = waiting.record
                record.ordinal = index
                return record
            }
            do {
                try await intake.send(records, advances: [], delivery: delivery, into: outlet)
            } catch {
                delivery.settle(.failed(Self.shuttingDown))
                shut()
                if error is CancellationError { return }
                throw error
            }
        }
    }

    /// Turns away who waits, and who comes.
    private func shut() {
        let waiting = state.withLock { state in
            state.isShut = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for caller in waiting { caller.resumption.resume(throwing: Self.shuttingDown) }
    }

    func close() async { shut() }

    private static let shuttingDown = PipelineError.retryable(
        "shutting-down", "the service is shutting down; try again")
}

/// Answers the callers of one chunk.
private final class GateDelivery: DeliveryHandler {
    private let callers: Mutex<[Resumption<SubmissionResult>?]>

    init(_ callers: [Resumption<SubmissionResult>]) { self.callers = Mutex(callers) }

    func reject(_ rejections: [Rejection]) async throws {
        for rejection in rejections {
            let caller = callers.withLock { callers in
                defer { callers[rejection.record.ordinal] = nil }
                return callers[rejection.record.ordinal]
            }
            caller?.resume(returning: .rejected(rejection))
        }
    }

    func settled(_ settlement: Settlement) {
        let rest = callers.withLock { callers in
            defer { callers = [] }
            return callers
        }
        for case let caller? in rest {
            switch settlement {
            case .acknowledged: caller.resume(returning: .accepted)
            case .failed(let error): caller.resume(throwing: error)
            }
        }
    }
}

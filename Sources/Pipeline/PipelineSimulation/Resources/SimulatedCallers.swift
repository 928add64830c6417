internal import Concurrency
public import PipelineCore
internal import Synchronization

/// Those who call one simulated process: they wait in it for their answers.
public final class SimulatedCallers: Sendable {
    /// Hears how a call ended.
    public typealias Answer = @Sendable (Result<SubmissionResult, any Error>) -> Void
    private struct Call: Sendable {
        var payload: Bytes
        var answer: Answer
    }
    private let door: SimulatedFrontDoor
    private let clock: PipelineClock
    private let waiting = Mutex<[Call]>([])
    private let arrivals = Signal()

    public init(door: SimulatedFrontDoor, clock: PipelineClock) {
        self.door = door
        self.clock = clock
    }

    /// Lets a caller come in. Made from outside of the process; a process that is gone never
    /// answers.
    public func call(_ payload: Bytes, _ answer: @escaping Answer) {
        waiting.withLock { $0.append(Call(payload: payload, answer: answer)) }
        arrivals.send()
    }

    /// Until cancelled.
    public func serve() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                let calls = waiting.withLock { waiting in
                    defer { waiting = [] }
                    return waiting
                }
                for call in calls { group.addTask { [self] in await serve(call) } }
                if calls.isEmpty { try await arrivals.wait() }
            }
        }
    }

    private func serve(_ call: Call) async {
        do {
            call.answer(.success(try await door.submit(record(call.payload))))
        } catch {
            call.answer(.failure(error))
        }
    }

    private func record(_ payload: Bytes) -> Record {
        Record(
            payload: payload, timestamp: clock.timestamp, origin: Origin(source: "api", offset: 0))
    }
}

/// The front door of a simulated process: callers hand in requests and wait until they are settled.
public final class SimulatedFrontDoor: RequestService {
    private let port = Mutex<(any RequestPort)?>(nil)

    public init() {}

    public func attach(_ port: any RequestPort, reads: ReadPath) throws {
        self.port.withLock { $0 = port }
    }

    /// Hands in one request.
    public func submit(_ record: Record) async throws -> SubmissionResult {
        guard let port = port.withLock({ $0 }) else {
            throw PipelineError.retryable(.shuttingDown, "the front door is shut")
        }
        return try await port.submit(record)
    }

    public func run(grace: Duration) async throws {}
    public func probe() async throws {}
    public func close() async {}
}

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

    /// Lets a caller come in. Made from outside of the process; a process that is gone never answers.
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

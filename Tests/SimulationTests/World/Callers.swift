import PipelineCore
import PipelineSimulation

/// Those who call one process: they wait in it for their answers.
final class Callers: Sendable {
    typealias Answer = @Sendable (Result<SubmissionResult, any Error>) -> Void
    private struct Call: Sendable {
        var payload: Bytes
        var answer: Answer
    }
    private let door: SimulatedFrontDoor
    private let clock: PipelineClock
    private let waiting = Shared<[Call]>([])
    private let arrivals = Doorbell()

    init(door: SimulatedFrontDoor, clock: PipelineClock) {
        self.door = door
        self.clock = clock
    }

    /// Lets a caller come in. Made from outside of the process; a process that is gone never answers.
    func call(_ payload: Bytes, _ answer: @escaping Answer) {
        waiting.withLock { $0.append(Call(payload: payload, answer: answer)) }
        arrivals.ring()
    }

    /// Until cancelled.
    func serve() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            while true {
                let calls = waiting.withLock { waiting in
                    defer { waiting = [] }
                    return waiting
                }
                for call in calls {
                    group.addTask { [self] in
                        do {
                            let result = try await door.submit(record(call.payload))
                            call.answer(.success(result))
                        } catch {
                            call.answer(.failure(error))
                        }
                    }
                }
                if calls.isEmpty { try await arrivals.wait() }
            }
        }
    }

    private func record(_ payload: Bytes) -> Record {
        Record(
            payload: payload, timestamp: clock.timestamp, origin: Origin(source: "api", offset: 0))
    }
}

public import PipelineCore
internal import Synchronization

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
            throw PipelineError.retryable("shutting-down", "the front door is shut")
        }
        return try await port.submit(record)
    }

    public func run(grace: Duration) async throws {}
    public func probe() async throws {}
    public func close() async {}
}

public import PipelineCore

extension SimulatedProcess: TimeSource {
    /// The clock to hand to what runs in the process.
    public var clock: PipelineClock { PipelineClock(self) }
    public var now: Instant { simulator.now }
    public var timestamp: Timestamp { simulator.timestamp.advanced(by: skew) }

    public func sleep(until deadline: Instant) async throws {
        try await suspend { [self] resume in
            simulator.schedule(at: deadline, owner: self) { resume(.success(())) }
        }
    }
}

extension Simulator {
    /// The world's civil time, which shared stores go by.
    public var timestamp: Timestamp {
        Timestamp(microseconds: epoch.microseconds + now.nanoseconds / 1000)
    }
}

/// The world's clock, for what belongs to no process and never sleeps.
public struct WorldTime: TimeSource {
    private let simulator: Simulator
    public init(_ simulator: Simulator) { self.simulator = simulator }
    public var now: Instant { simulator.now }
    public var timestamp: Timestamp { simulator.timestamp }
    public func sleep(until deadline: Instant) async throws {
        preconditionFailure("a store does not sleep")
    }
}

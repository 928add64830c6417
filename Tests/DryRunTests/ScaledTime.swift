import PipelineCore

/// The system's clock, running faster: real threads, real stores, and a day within minutes.
struct ScaledTime: TimeSource {
    let factor: Double
    let epoch: Timestamp
    private let system = PipelineClock.system
    private let origin: Instant

    init(factor: Double, epoch: Timestamp) {
        self.factor = factor
        self.epoch = epoch
        origin = system.now
    }

    var elapsed: Duration { origin.duration(to: system.now) * factor }
    var now: Instant { Instant(nanoseconds: 0).advanced(by: elapsed) }
    var timestamp: Timestamp { epoch.advanced(by: elapsed) }

    func sleep(until deadline: Instant) async throws {
        let rest = now.duration(to: deadline)
        if rest > .zero { try await system.sleep(for: rest / factor) }
    }
}

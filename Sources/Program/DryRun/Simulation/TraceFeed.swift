internal import PipelineCore
internal import PipelineSimulation
internal import Synchronization

/// Lets the messages of a trace arrive at their times, one timer at a time.
final class TraceFeed: Sendable {
    private let trace: ArrivalTrace
    private let simulator: Simulator
    private let deliver: @Sendable (OutgoingRecord) -> Void
    private let ended: @Sendable () -> Void
    private let next = Mutex(0)

    init(
        _ trace: ArrivalTrace, simulator: Simulator,
        deliver: @escaping @Sendable (OutgoingRecord) -> Void,
        ended: @escaping @Sendable () -> Void
    ) {
        self.trace = trace
        self.simulator = simulator
        self.deliver = deliver
        self.ended = ended
    }

    var isEnded: Bool { next.withLock { $0 } >= trace.arrivals.count }

    func start() { scheduleNext() }

    private func scheduleNext() {
        let index = next.withLock { $0 }
        guard index < trace.arrivals.count else { return ended() }
        let at = trace.arrivals[index].at
        simulator.schedule(at: Instant(nanoseconds: 0).advanced(by: at)) { [self] in
            // All of an instant arrive together.
            var index = index
            while index < trace.arrivals.count, trace.arrivals[index].at <= at {
                deliver(trace.arrivals[index].message)
                index += 1
            }
            next.withLock { $0 = index }
            scheduleNext()
        }
    }
}

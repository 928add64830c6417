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
    private let isSettled = Mutex(false)

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

    /// Whether all have arrived, and the last one has been taken in: a repeat that comes when everything is answered
    /// has to be booked, too.
    var isEnded: Bool { isSettled.withLock { $0 } }

    func start() { scheduleNext() }

    private func scheduleNext() {
        let index = next.withLock { $0 }
        guard index < trace.arrivals.count else {
            ended()
            let last = trace.arrivals.last?.at ?? .zero
            _ = simulator.schedule(
                at: Instant(nanoseconds: 0).advanced(by: last + .seconds(1))
            ) { [self] in isSettled.withLock { $0 = true } }
            return
        }
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

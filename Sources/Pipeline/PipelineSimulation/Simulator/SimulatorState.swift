internal import Calendar
internal import PipelineCore

/// What a simulator decides by, without running anything.
struct SimulatorState: Sendable {
    struct Ready: Sendable {
        let job: UnownedJob
        let process: SimulatedProcess
    }
    enum Due: Sendable {
        case actions([@Sendable () -> Void])
        case idle, limit
    }

    var random: SplitMix64
    var now = Instant(nanoseconds: 0)
    var ready: [Ready] = []
    var timers = TimerQueue()
    var steps = 0
    var foreignJobs = 0
    var history = History()

    init(seed: UInt64) { random = SplitMix64(seed: seed) }

    mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: random.next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    mutating func choose() -> Ready? {
        if ready.isEmpty { return nil }
        let index = below(ready.count)
        ready.swapAt(index, ready.count - 1)
        steps += 1
        let chosen = ready.removeLast()
        history.decide(chosen.process.number, now)
        return chosen
    }

    mutating func schedule(
        at deadline: Instant, owner: SimulatedProcess?, _ action: @escaping @Sendable () -> Void
    ) -> UInt64 {
        let tie = random.next()
        return timers.push(max(deadline, now), tie: tie, owner: owner, action)
    }

    mutating func cancel(_ timer: UInt64) -> Bool { timers.cancel(timer) }

    /// Time moves only here.
    mutating func takeDue(before limit: Instant, slack: Duration) -> Due {
        var actions: [@Sendable () -> Void] = []
        var window: Instant?
        while let first = timers.first, first.deadline <= window ?? limit {
            guard let action = timers.pop() else { continue }
            if let owner = first.owner, !owner.isAlive { continue }
            now = max(now, first.deadline)
            if window == nil {
                // Half of all timers fire alone, the others together with what is due soon.
                let width = max(1, Int(slack.wholeNanoseconds))
                let late = below(2) == 0 ? 0 : below(width)
                window = min(limit, now.advanced(by: .nanoseconds(late)))
            }
            actions.append(action)
        }
        if !actions.isEmpty { return .actions(actions) }
        return timers.first == nil ? .idle : .limit
    }
}

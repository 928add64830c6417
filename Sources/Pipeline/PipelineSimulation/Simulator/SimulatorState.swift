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

/// Timers in the order of their deadlines; equal ones in an order that was drawn with them. A
/// binary heap.
struct TimerQueue: Sendable {
    struct Timer: Sendable {
        let deadline: Instant
        let tie: UInt64
        let id: UInt64
        let owner: SimulatedProcess?

        func comes(before other: Timer) -> Bool {
            (deadline, tie, id) < (other.deadline, other.tie, other.id)
        }
    }

    private var heap: [Timer] = []
    /// Looked up, never iterated. A cancelled timer has no action any more.
    private var actions: [UInt64: @Sendable () -> Void] = [:]
    private var lastID: UInt64 = 0

    /// The next timer; it may have been cancelled.
    fileprivate var first: Timer? { heap.first }

    fileprivate mutating func push(
        _ deadline: Instant, tie: UInt64, owner: SimulatedProcess?,
        _ action: @escaping @Sendable () -> Void
    ) -> UInt64 {
        lastID += 1
        actions[lastID] = action
        heap.append(Timer(deadline: deadline, tie: tie, id: lastID, owner: owner))
        rise(from: heap.count - 1)
        return lastID
    }

    fileprivate mutating func cancel(_ id: UInt64) -> Bool {
        actions.removeValue(forKey: id) != nil
    }

    /// Takes the first timer out. Answers its action, unless it was cancelled.
    fileprivate mutating func pop() -> (@Sendable () -> Void)? {
        heap.swapAt(0, heap.count - 1)
        let timer = heap.removeLast()
        sink(from: 0)
        return actions.removeValue(forKey: timer.id)
    }

    private mutating func rise(from start: Int) {
        var index = start
        while index > 0, heap[index].comes(before: heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func sink(from start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
                if heap[child].comes(before: heap[least]) { least = child }
            }
            if least == index { return }
            heap.swapAt(index, least)
            index = least
        }
    }
}

/// What happened in a run: lines for people, and a fingerprint over every decision.
public struct History: Sendable, Equatable {
    /// `MICROSECONDS STEP TEXT`, in order.
    public private(set) var lines: [String] = []
    /// Covers every line, and which process ran at which time at every step.
    public private(set) var fingerprint: UInt64 = 0xCBF2_9CE4_8422_2325
    var isOpen = true

    public init() {}

    /// The last lines.
    public func tail(_ count: Int) -> String { lines.suffix(count).joined(separator: "\n") }

    mutating func append(_ line: String) {
        lines.append(line)
        for byte in line.utf8 { mix(UInt64(byte)) }
    }

    fileprivate mutating func decide(_ process: Int, _ now: Instant) {
        if !isOpen { return }
        mix(UInt64(truncatingIfNeeded: process))
        mix(UInt64(bitPattern: now.nanoseconds))
    }

    /// FNV-1a ([reference](http://www.isthe.com/chongo/tech/comp/fnv/)), a word at a time.
    private mutating func mix(_ word: UInt64) {
        fingerprint = (fingerprint ^ word) &* 0x100_0000_01B3
    }
}

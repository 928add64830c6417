/// Who has which connection: a state machine without I/O.
///
/// `Slot` is a place for a connection, `Waiter` somebody to be resumed. Slots are lent last in,
/// first out, so that those beyond the need stay idle; waiters are served first come, first
/// served.
struct PoolState<Slot: Sendable, Waiter: Sendable>: Sendable {
    private let limit: Int
    private var idle: [Slot] = []
    private var created = 0
    private var lent = 0
    private var waiters: [(id: UInt64, waiter: Waiter)] = []
    private var closers: [Waiter] = []
    private var isClosed = false

    init(limit: Int) {
        precondition(limit > 0)
        self.limit = limit
    }

    enum Acquisition: Sendable {
        case lend(Slot)
        /// Make a slot; it counts as lent.
        case create
        /// The waiter has been queued.
        case wait
        case refuse
    }

    mutating func acquire(id: UInt64, waiter: @autoclosure () -> Waiter) -> Acquisition {
        if isClosed { return .refuse }
        if let slot = idle.popLast() {
            lent += 1
            return .lend(slot)
        }
        if created < limit {
            created += 1
            lent += 1
            return .create
        }
        waiters.append((id, waiter()))
        return .wait
    }

    enum Release: Sendable {
        /// The slot goes to the waiter, which is to be resumed with it.
        case hand(Slot, to: Waiter)
        case keep
        /// The pool is closed: close the slot, then resume these.
        case close(Slot, resume: [Waiter])
    }

    mutating func release(_ slot: Slot) -> Release {
        if isClosed {
            lent -= 1
            guard lent == 0 else { return .close(slot, resume: []) }
            defer { closers = [] }
            return .close(slot, resume: closers)
        }
        if !waiters.isEmpty { return .hand(slot, to: waiters.removeFirst().waiter) }
        lent -= 1
        idle.append(slot)
        return .keep
    }

    /// Takes a waiter out of the queue; `nil` when it has been served already.
    mutating func abandon(id: UInt64) -> Waiter? {
        waiters.firstIndex { $0.id == id }.map { waiters.remove(at: $0).waiter }
    }

    /// No more loans. Answers the idle slots, to be closed, and the waiters, to be refused.
    mutating func close() -> (idle: [Slot], refused: [Waiter]) {
        isClosed = true
        defer {
            idle = []
            waiters = []
        }
        return (idle, waiters.map(\.waiter))
    }

    /// Whether everything has come back; if not, `closer` is kept until it has.
    mutating func awaitReturns(_ closer: Waiter) -> Bool {
        if lent == 0 { return true }
        closers.append(closer)
        return false
    }
}

/// Who has which connection: a state machine without I/O.
///
/// `Slot` is a place for a connection, `Waiter` somebody to be resumed. Slots are lent last in,
/// first out, so that those beyond the need stay idle. Waiters are served by what they are up to,
/// then first come, first served; now and then whoever has waited longest is, so that nobody waits
/// for ever.
///
/// Times are nanoseconds on the monotonic clock.
struct PoolState<Slot: Sendable, Waiter: Sendable>: Sendable {
    typealias Purpose = PostgresPool.Purpose

    /// What was asked for.
    private(set) var most: Int
    /// What the server lets this process have, as far as is known.
    private var limit: Int
    /// When to try for more than that.
    private var raisesAt: UInt64?
    /// When the server last gave none; `nil` once that has been told.
    private var refusedAt: UInt64?
    private var toldLimit: Int?
    private var idle: [Slot] = []
    private var created = 0
    private(set) var lent = 0
    /// Of those, lent for what leaves the last connection to work.
    private var lentToOthers = 0
    private var waiters: [(id: UInt64, purpose: Purpose, waiter: Waiter)] = []
    private var handedInOrder = 0
    private var closers: [Waiter] = []
    private var isClosed = false

    /// One hand-over of so many goes to whoever has waited longest.
    static var fairness: Int { 8 }
    /// How long the server's limit is taken for granted.
    static var limitNanoseconds: UInt64 { 30_000_000_000 }
    /// How long it takes until all who were connecting know.
    static var settlingNanoseconds: UInt64 { 1_000_000_000 }

    init(limit: Int) {
        precondition(limit > 0)
        most = limit
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

    mutating func acquire(
        _ purpose: Purpose, id: UInt64, now: UInt64, suits: (Slot) -> Bool = { _ in true },
        waiter: @autoclosure () -> Waiter
    ) -> Acquisition {
        if isClosed { return .refuse }
        if let raisesAt, raisesAt <= now {
            limit = most
            self.raisesAt = nil
        }
        if mayHave(purpose) {
            if let index = idle.lastIndex(where: suits) {
                lend(to: purpose)
                return .lend(idle.remove(at: index))
            }
            if created < limit {
                created += 1
                lend(to: purpose)
                return .create
            }
            if let slot = idle.popLast() {
                lend(to: purpose)
                return .lend(slot)
            }
        }
        waiters.append((id, purpose, waiter()))
        return .wait
    }

    /// Asks for another number. What is lent beyond that stays.
    mutating func resize(to most: Int) {
        precondition(most > 0)
        limit = raisesAt == nil ? most : min(limit, most)
        self.most = most
    }

    enum Release: Sendable {
        /// The slot goes to the waiter, which is to be resumed with it.
        case hand(Slot, to: Waiter)
        case keep
        /// The pool is closed: close the slot, then resume these.
        case close(Slot, resume: [Waiter])
    }

    mutating func release(_ slot: Slot, from purpose: Purpose) -> Release {
        takeBack(from: purpose)
        if isClosed { return .close(slot, resume: closersIfDone()) }
        guard let next = nextWaiter() else {
            idle.append(slot)
            return .keep
        }
        lend(to: next.purpose)
        return .hand(slot, to: next.waiter)
    }

    enum Shortage: Sendable {
        /// Ask again: others have connections.
        case share
        /// Nobody has one. These wait for nothing; and closers, if the pool is closed.
        case none(failing: [Waiter], closers: [Waiter])
    }

    /// The server gave no connection for a slot, because it gives no more: the slot is gone.
    mutating func refused(from purpose: Purpose, now: UInt64) -> Shortage {
        takeBack(from: purpose)
        created -= 1
        limit = max(1, created)
        raisesAt = limit < most ? now + Self.limitNanoseconds : nil
        refusedAt = now
        if created > 0 && !isClosed { return .share }
        defer { waiters = [] }
        return .none(failing: waiters.map(\.waiter), closers: isClosed ? closersIfDone() : [])
    }

    /// How many connections the server gives, once it is known, and if it is news.
    mutating func newLimit(now: UInt64) -> Int? {
        // Others may be connecting still when one is refused.
        guard let refusedAt, refusedAt + Self.settlingNanoseconds <= now else { return nil }
        self.refusedAt = nil
        guard toldLimit != created else { return nil }
        toldLimit = created
        return created
    }

    /// Takes a waiter out of the queue; `nil` when it has been served already.
    mutating func abandon(id: UInt64) -> Waiter? {
        waiters.firstIndex { $0.id == id }.map { waiters.remove(at: $0).waiter }
    }

    /// How many wait for a slot.
    var waiting: Int { waiters.count }

    /// The slots that nobody has.
    var unused: [Slot] { idle }

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

    /// The last connection is left to work, which is short: a read that takes long must not keep a
    /// lease from being extended.
    private func mayHave(_ purpose: Purpose) -> Bool {
        purpose == .work || lentToOthers < max(1, limit - 1)
    }

    private mutating func lend(to purpose: Purpose) {
        lent += 1
        if purpose != .work { lentToOthers += 1 }
    }

    private mutating func takeBack(from purpose: Purpose) {
        lent -= 1
        if purpose != .work { lentToOthers -= 1 }
    }

    private mutating func nextWaiter() -> (id: UInt64, purpose: Purpose, waiter: Waiter)? {
        let possible = waiters.indices.filter { mayHave(waiters[$0].purpose) }
        let first = possible.min { one, other in
            (waiters[one].purpose, one) < (waiters[other].purpose, other)
        }
        guard var first, let longest = possible.first else { return nil }
        handedInOrder = first == longest ? 0 : handedInOrder + 1
        if handedInOrder >= Self.fairness {
            handedInOrder = 0
            first = longest
        }
        return waiters.remove(at: first)
    }

    private mutating func closersIfDone() -> [Waiter] {
        guard lent == 0 else { return [] }
        defer { closers = [] }
        return closers
    }
}

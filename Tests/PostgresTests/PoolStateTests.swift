import Testing

@testable import Postgres

@Suite("The pool's state machine")
struct PoolStateTests {
    typealias State = PoolState<Int, String>

    private func acquire(
        _ state: inout State, _ waiter: String, _ purpose: PostgresPool.Purpose = .work,
        at now: UInt64 = 0
    ) -> String {
        switch state.acquire(purpose, id: UInt64(waiter.utf8.first!), now: now, waiter: waiter) {
        case .lend(let slot): "lend \(slot)"
        case .create: "create"
        case .wait: "wait"
        case .refuse: "refuse"
        }
    }
    private func release(
        _ state: inout State, _ slot: Int, _ purpose: PostgresPool.Purpose = .work
    ) -> String {
        switch state.release(slot, from: purpose) {
        case .hand(let slot, let waiter): "\(slot) to \(waiter)"
        case .keep: "keep"
        case .close(let slot, let closers): "close \(slot) \(closers)"
        }
    }

    @Test("creates up to the limit, then queues, first come first served")
    func queues() {
        var state = State(limit: 2)
        #expect(
            ["a", "b", "c", "d"].map { acquire(&state, $0) } == [
                "create", "create", "wait", "wait",
            ])
        #expect(release(&state, 1) == "1 to c")
        #expect(release(&state, 2) == "2 to d")
        #expect(release(&state, 1) == "keep")
    }

    @Test(
        "lends what suits, makes a new one before it lends another's, and that before it lets wait")
    func prefersItsOwn() {
        var state = State(limit: 2)
        func acquire(_ suiting: Int) -> String {
            switch state.acquire(
                .work, id: 1, now: 0, suits: { $0 == suiting }, waiter: "w")
            {
            case .lend(let slot): "lend \(slot)"
            case .create: "create"
            case .wait: "wait"
            case .refuse: "refuse"
            }
        }
        #expect(acquire(1) == "create")
        #expect(release(&state, 1) == "keep")
        #expect(acquire(2) == "create")
        #expect(release(&state, 2) == "keep")
        #expect(acquire(1) == "lend 1")
        #expect(acquire(1) == "lend 2")
        #expect(acquire(1) == "wait")
        state.resize(to: 1)
        #expect(state.most == 1)
    }

    @Test("serves work before what takes long, and that before what somebody looks at")
    func servesWorkFirst() {
        var state = State(limit: 2)
        #expect(acquire(&state, "a") == "create")
        #expect(acquire(&state, "b") == "create")
        #expect(acquire(&state, "r", .reading) == "wait")
        #expect(acquire(&state, "g", .bulk) == "wait")
        #expect(acquire(&state, "w") == "wait")
        #expect(release(&state, 1) == "1 to w")
        #expect(release(&state, 2) == "2 to g")
        #expect(release(&state, 1) == "keep")
        #expect(acquire(&state, "v") == "lend 1")
    }

    @Test("leaves the last connection to work, whatever reads")
    func reserves() {
        var state = State(limit: 2)
        #expect(acquire(&state, "g", .bulk) == "create")
        #expect(acquire(&state, "r", .reading) == "wait")
        #expect(acquire(&state, "w") == "create")
        #expect(release(&state, 2) == "keep")
        #expect(acquire(&state, "s", .reading) == "wait")
        #expect(release(&state, 1, .bulk) == "1 to r")
        var alone = State(limit: 1)
        #expect(acquire(&alone, "r", .reading) == "create")
    }

    @Test("serves whoever has waited longest now and then, so that work can't starve a read")
    func isFair() {
        var state = State(limit: 2)
        _ = acquire(&state, "a")
        _ = acquire(&state, "b")
        #expect(acquire(&state, "r", .reading) == "wait")
        for _ in 1..<State.fairness {
            #expect(acquire(&state, "w") == "wait")
            #expect(release(&state, 1) == "1 to w")
        }
        #expect(acquire(&state, "w") == "wait")
        #expect(release(&state, 1) == "1 to r")
    }

    @Test("lives with the connections that the server gives, and tries for more after a while")
    func makesDo() {
        var state = State(limit: 4)
        for waiter in ["a", "b", "c"] { #expect(acquire(&state, waiter) == "create") }
        guard case .share = state.refused(from: .work, now: 0) else {
            Issue.record("two connections are left")
            return
        }
        #expect(state.newLimit(now: State.settlingNanoseconds - 1) == nil)
        #expect(state.newLimit(now: State.settlingNanoseconds) == 2)
        #expect(state.newLimit(now: State.limitNanoseconds) == nil)
        #expect(acquire(&state, "c") == "wait")
        #expect(release(&state, 1) == "1 to c")
        #expect(acquire(&state, "r", .reading) == "wait")
        #expect(release(&state, 2) == "2 to r")
        #expect(acquire(&state, "d", at: State.limitNanoseconds - 1) == "wait")
        #expect(acquire(&state, "e", at: State.limitNanoseconds) == "create")
    }

    @Test("fails those who wait when the server gives nothing at all")
    func failsWithoutAny() {
        var state = State(limit: 1)
        #expect(acquire(&state, "a") == "create")
        #expect(acquire(&state, "b") == "wait")
        guard case .none(let failing, _) = state.refused(from: .work, now: 0) else {
            Issue.record("nobody has a connection")
            return
        }
        #expect(failing == ["b"])
        #expect(acquire(&state, "c") == "create")
    }

    @Test("lends the slot that came back last")
    func lendsLast() {
        var state = State(limit: 2)
        _ = acquire(&state, "a")
        _ = acquire(&state, "b")
        _ = release(&state, 1)
        _ = release(&state, 2)
        #expect(acquire(&state, "c") == "lend 2")
    }

    @Test("a waiter that leaves is passed over, and leaves once")
    func abandons() {
        var state = State(limit: 1)
        _ = ["a", "b", "c"].map { acquire(&state, $0) }
        #expect(state.abandon(id: UInt64(UInt8(ascii: "b"))) == "b")
        #expect(state.abandon(id: UInt64(UInt8(ascii: "b"))) == nil)
        #expect(release(&state, 1) == "1 to c")
        #expect(state.abandon(id: UInt64(UInt8(ascii: "c"))) == nil)
    }

    @Test("closing refuses waiters and newcomers, and ends when the last loan is back")
    func closes() {
        var state = State(limit: 2)
        _ = ["a", "b", "c"].map { acquire(&state, $0) }
        let (idle, refused) = state.close()
        #expect(idle.isEmpty && refused == ["c"])
        #expect(acquire(&state, "d") == "refuse")
        let isDone = state.awaitReturns("closer")
        #expect(!isDone)
        #expect(release(&state, 1) == "close 1 []")
        #expect(release(&state, 2) == "close 2 [\"closer\"]")
        let isDoneNow = state.awaitReturns("another")
        #expect(isDoneNow)
    }
}

import Testing

@testable import Postgres

@Suite("The pool's state machine")
struct PoolStateTests {
    typealias State = PoolState<Int, String>

    private func acquire(_ state: inout State, _ waiter: String) -> String {
        switch state.acquire(id: UInt64(waiter.utf8.first!), waiter: waiter) {
        case .lend(let slot): "lend \(slot)"
        case .create: "create"
        case .wait: "wait"
        case .refuse: "refuse"
        }
    }
    private func release(_ state: inout State, _ slot: Int) -> String {
        switch state.release(slot) {
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

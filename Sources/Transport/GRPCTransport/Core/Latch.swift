internal import Synchronization

/// A gate that opens once and stays open.
final class Latch: Sendable {
    private enum State {
        /// Those who wait go on when it opens.
        case closed([CheckedContinuation<Void, Never>])
        /// Nobody waits any more.
        case open
    }

    private let state = Mutex(State.closed([]))

    /// Lets everybody through, now and from now on.
    func open() {
        let waiting = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            guard case .closed(let waiting) = state else { return [] }
            state = .open
            return waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns as soon as the latch is open, whether or not the task is cancelled.
    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                guard case .closed(let waiting) = state else { return true }
                state = .closed(waiting + [continuation])
                return false
            }
            if isOpen { continuation.resume() }
        }
    }
}

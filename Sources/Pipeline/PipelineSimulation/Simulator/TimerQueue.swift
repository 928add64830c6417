internal import PipelineCore

/// Timers in the order of their deadlines; equal ones in an order that was drawn with them. A binary heap.
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
    var first: Timer? { heap.first }

    mutating func push(
        _ deadline: Instant, tie: UInt64, owner: SimulatedProcess?,
        _ action: @escaping @Sendable () -> Void
    ) -> UInt64 {
        lastID += 1
        actions[lastID] = action
        heap.append(Timer(deadline: deadline, tie: tie, id: lastID, owner: owner))
        rise(from: heap.count - 1)
        return lastID
    }

    mutating func cancel(_ id: UInt64) -> Bool { actions.removeValue(forKey: id) != nil }

    /// Takes the first timer out. Answers its action, unless it was cancelled.
    mutating func pop() -> (@Sendable () -> Void)? {
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

internal import Concurrency
internal import Batching
internal import PipelineCore
internal import Synchronization

/// An accumulate without a ledger: records wait in memory, their acknowledgements open, until the
/// rule fires.
final class MemoryAccumulator: Buffer {
    private let rule: BatchingRule
    private let clock: PipelineClock
    private let held: Mutex<HeldRecords>
    private let changed = Signal()
    /// Sent when a firing has made room.
    private let room = Signal()

    init(rule: BatchingRule, clock: PipelineClock) {
        self.rule = rule
        self.clock = clock
        held = Mutex(HeldRecords())
    }

    /// Records that may be held: a full batch and the next; more have to wait upstream.
    private var capacity: Int { 2 * max(rule.countBound, rule.maxBatch) }

    func run(
        receiving receive: @escaping @Sendable () async throws -> Chunk?, into outlet: Outlet
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                while let chunk = try await receive() {
                    while held.withLock({ $0.count }) >= capacity { try await room.wait() }
                    held.withLock { $0.add(chunk, at: clock.timestamp) }
                    changed.send()
                }
                held.withLock { $0.isFinished = true }
                changed.send()
            }
            group.addTask { [self] in try await fire(into: outlet) }
            try await group.waitForAllOrFirstFailure()
        }
    }

    private func fire(into outlet: Outlet) async throws {
        while true {
            let now = clock.timestamp
            let (decision, isFinished) = held.withLock { held in
                if held.isIdle || held.isOverdue {
                    return (SealingDecision.fire(.drain(closedBy: "idle")), held.isFinished)
                }
                return (rule.decide(held.openBatch, now: now), held.isFinished)
            }
            switch decision {
            case .fire(let firing):
                try await send(firing, at: now, into: outlet)
            case .wait(let until):
                if isFinished {
                    return try await send(.drain(closedBy: "end"), at: now, into: outlet)
                }
                guard let until else {
                    try await changed.wait()
                    continue
                }
                let pause = max(now.duration(to: until), .milliseconds(1))
                try await changed.wait(until: clock.now.advanced(by: pause), clock: clock)
            }
        }
    }

    private func send(_ firing: Firing, at now: Timestamp, into outlet: Outlet) async throws {
        let chunks = held.withLock { held in
            if held.count > 0 { held.lastFired = now }
            if case .full(_, let size) = firing { return held.take(size).map { [$0] } ?? [] }
            var chunks: [Chunk] = []
            while let chunk = held.take(rule.maxBatch) { chunks.append(chunk) }
            return chunks
        }
        for chunk in chunks { try await outlet.send(chunk) }
        room.send()
    }
}

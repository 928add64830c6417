internal import Batching
internal import Ledger
internal import PipelineCore

/// What this process knows of the open batch since it last looked: decides when looking again is worth a statement.
struct SealingForecast: Sendable {
    let rule: BatchingRule
    private var open = OpenBatch(count: 0, oldest: nil, earliestDeadline: nil)
    /// The store's clock at the last look, and this process's.
    private var storeClock: Timestamp?
    private var lookedAt = Instant(nanoseconds: 0)
    /// When the sealing loop will look next, on the store's clock.
    private var next: Timestamp?

    init(rule: BatchingRule) { self.rule = rule }

    /// Takes note of a look.
    mutating func look(_ result: SealingResult, at now: Instant) {
        open = result.open
        storeClock = result.clock
        lookedAt = now
        next = result.next
    }

    /// The store's clock now, as far as this process's runs evenly; `nil` before the first look.
    func storeClock(at now: Instant) -> Timestamp? {
        storeClock?.advanced(by: lookedAt.duration(to: now))
    }

    /// Takes note of arrivals; answers whether to look earlier than planned.
    mutating func add(
        _ count: Int, earliestDeadline: Timestamp?, sla: Duration, at now: Instant
    ) -> Bool {
        guard let time = storeClock(at: now) else { return true }
        open.count += count
        open.oldest = open.oldest ?? time
        open.newest = time
        let deadline = min(earliestDeadline ?? .distantFuture, time.advanced(by: sla))
        open.earliestDeadline = min(open.earliestDeadline ?? deadline, deadline)
        switch rule.decide(open, now: time) {
        case .fire: return true
        case .wait(let until?): return next.map { until < $0 } ?? true
        case .wait(nil): return false
        }
    }
}

extension Timestamp {
    static var distantFuture: Timestamp { Timestamp(microseconds: .max) }
}

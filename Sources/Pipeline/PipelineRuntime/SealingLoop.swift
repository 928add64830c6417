internal import Concurrency
internal import Logging
internal import PipelineCore

/// Evaluates a barrier's rule, seals what it says, and deletes what its retention is over for.
struct SealingLoop: Sendable {
    /// How often to look for what is to be deleted.
    private static let purgeInterval = Duration.seconds(60)

    let barrier: RunningBarrier
    let environment: RunEnvironment

    /// Looks, seals, and sleeps until the rule may fire: woken by arrivals here, and by the clock
    /// for those elsewhere. Until cancelled.
    func run() async throws {
        var isOutdated = false
        let what = "stage \(barrier.id): seal"
        while true {
            environment.loop?.begins(what)
            let result = try await barrier.ledger.seal()
            let now = environment.clock.now
            barrier.looked(result, at: now)
            if (result.outdatedBy != nil) != isOutdated {
                isOutdated = result.outdatedBy != nil
                logOutdated(result.outdatedBy)
            }
            if !result.sealed.isEmpty {
                for batch in result.sealed { tell(batch) }
                barrier.hasSealed()
                continue
            }
            let untilNext = result.next.map { result.clock.duration(to: $0) } ?? barrier.poll
            let pause = min(barrier.pollWithJitter, max(untilNext, .milliseconds(1)))
            environment.loop?.begins("stage \(barrier.id): look at the rule", within: pause)
            try await barrier.ruleMayFire.wait(
                until: now.advanced(by: pause), clock: environment.clock)
        }
    }

    /// Deletes what its retention is over for, a batch a step. Each step is followed by a pause as
    /// long as it took: what has to be done now is never behind more than one. Until cancelled.
    func runUpkeep() async throws {
        guard let retention = barrier.retention else { return }
        while true {
            let start = environment.clock.now
            // The store's clock decides; it is known once the rule has been evaluated.
            guard let now = barrier.storeClock(at: start) else {
                try await barrier.hasLooked.wait()
                continue
            }
            let gone = try await barrier.ledger.purge(
                finishedBefore: now.advanced(by: .zero - retention))
            let took = start.duration(to: environment.clock.now)
            try await environment.clock.sleep(
                for: gone == nil ? Self.purgeInterval : max(took, .milliseconds(1)))
        }
    }

    private func logOutdated(_ revision: Int64?) {
        if let revision {
            environment.logger.warning(
                "this process does not seal: another one has a newer rule",
                metadata: ["stage": "\(barrier.id)", "newer_revision": "\(revision)"])
        } else {
            environment.logger.notice(
                "this process seals again", metadata: ["stage": "\(barrier.id)"])
        }
    }

    private func tell(_ batch: SealedBatch) {
        environment.observer.sealed(stage: barrier.id, batch, fullBatch: barrier.fullBatch)
        environment.logger.info(
            "batch sealed",
            metadata: [
                "stage": "\(barrier.id)", "batch": "\(batch.number)",
                "cases": "\(batch.count)", "closed_by": "\(batch.closedBy)",
            ])
    }
}

/// What this process knows of the open batch since it last looked: decides when looking again is
/// worth a statement.
struct SealingForecast: Sendable {
    private let decide: @Sendable (OpenBatch, Timestamp) -> SealingDecision
    private var open = OpenBatch(count: 0, oldest: nil, earliestDeadline: nil)
    /// The store's clock at the last look, and this process's.
    private var storeClock: Timestamp?
    private var lookedAt = Instant(nanoseconds: 0)
    /// When the sealing loop will look next, on the store's clock.
    private var next: Timestamp?

    init(decide: @escaping @Sendable (OpenBatch, Timestamp) -> SealingDecision) {
        self.decide = decide
    }

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
        switch decide(open, time) {
        case .fire: return true
        case .wait(let until?): return next.map { until < $0 } ?? true
        case .wait(nil): return false
        }
    }
}

extension Timestamp {
    fileprivate static var distantFuture: Timestamp { Timestamp(microseconds: .max) }
}

internal import Batching
internal import Ledger
internal import Logging
internal import PipelineCore
internal import Synchronization

extension LedgerBarrier {
    /// Looks, seals, and sleeps until the rule may fire: woken by arrivals here, and by the clock for those elsewhere.
    func runSealing() async throws {
        var isOutdated = false
        var nextPurge = context.clock.now
        while true {
            let result = try await ledger.seal()
            let now = context.clock.now
            forecast.withLock { $0.look(result, at: now) }
            if (result.outdatedBy != nil) != isOutdated {
                isOutdated = result.outdatedBy != nil
                logOutdated(result.outdatedBy)
            }
            if !result.sealed.isEmpty {
                for batch in result.sealed { log(batch) }
                sealed.ring()
                tell(.sealed)
                continue
            }
            if retention != nil, nextPurge <= now {
                nextPurge = try await purge(at: result.clock, now)
            }
            let untilNext = result.next.map { result.clock.duration(to: $0) } ?? poll
            let pause = min(
                poll * (0.75 + 0.5 * context.random.unit()), max(untilNext, .milliseconds(1)))
            try await ruleChanged.wait(until: now.advanced(by: pause), clock: context.clock)
        }
    }

    /// One batch a step, so that nothing is locked for long; again at once while there is more.
    private func purge(at clock: Timestamp, _ now: Instant) async throws -> Instant {
        guard let retention else { return now }
        let gone = try await ledger.purge(finishedBefore: clock.advanced(by: .zero - retention))
        return now.advanced(by: gone > 0 ? .zero : .seconds(60))
    }

    private func logOutdated(_ revision: Int64?) {
        if let revision {
            context.logger.warning(
                "this process does not seal: another one has a newer rule",
                metadata: ["newer_revision": "\(revision)"])
        } else {
            context.logger.notice("this process seals again")
        }
    }

    private func log(_ batch: SealedBatch) {
        context.logger.info(
            "batch sealed",
            metadata: [
                "batch": "\(batch.number)", "cases": "\(batch.count)",
                "closed_by": "\(batch.closedBy)",
            ])
    }
}

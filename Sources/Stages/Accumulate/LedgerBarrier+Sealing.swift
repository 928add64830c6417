internal import Batching
internal import Ledger
internal import Logging
internal import PipelineCore
internal import Synchronization

extension LedgerBarrier {
    /// Looks, seals, and sleeps until the rule may fire: woken by arrivals here, and by the clock for those elsewhere.
    func runSealing() async throws {
        var isOutdated = false
        while true {
            let result = try await ledger.seal()
            let now = context.clock.now
            forecast.withLock { $0.look(result, at: now) }
            hasLooked.open()
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
            let untilNext = result.next.map { result.clock.duration(to: $0) } ?? poll
            let pause = min(
                poll * (0.75 + 0.5 * context.random.unit()), max(untilNext, .milliseconds(1)))
            try await ruleChanged.wait(until: now.advanced(by: pause), clock: context.clock)
        }
    }

    /// Deletes what its retention is over for, a batch a step. Each step is followed by a pause as long as it took: what
    /// has to be done now is never behind more than one.
    func runUpkeep() async throws {
        guard let retention else { return }
        while true {
            let start = context.clock.now
            // The store's clock decides; it is known once the rule has been evaluated.
            guard let now = forecast.withLock({ $0.storeClock(at: start) }) else {
                try await hasLooked.wait()
                continue
            }
            let gone = try await ledger.purge(finishedBefore: now.advanced(by: .zero - retention))
            let took = start.duration(to: context.clock.now)
            try await context.clock.sleep(
                for: gone == nil ? Self.purgeInterval : max(took, .milliseconds(1)))
        }
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

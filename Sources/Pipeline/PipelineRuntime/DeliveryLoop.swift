internal import Logging
internal import PipelineCore

/// Delivers committed batches to one sink, which has its own marks and is retried alone.
struct DeliveryLoop: Sendable {
    /// Tries in place before the batch is given back for a while.
    static let attemptsInPlace = 3
    /// A batch that was given back waits that long.
    static let pause: Duration = .seconds(5)

    let stage: String
    let barrier: any Barrier
    let sink: any Sink
    let environment: RunEnvironment

    func run() async throws {
        while let claimed = try await environment.unlessStopped({
            try await environment.retrying("stage \(stage): claim a delivery") {
                try await barrier.nextDelivery(to: stage, worker: environment.worker)
            }
        }) {
            do {
                try await process(claimed)
            } catch let error as PipelineError where error.disposition == .retryable {
                // Said already, when it began: each batch that waits for the sink would say it again.
            } catch let error as PipelineError where error.disposition != .fatal {
                environment.logger.warning(
                    "delivery failed; it will be tried again",
                    metadata: [
                        "stage": "\(stage)", "batch": "\(claimed.batch.number)",
                        "error": "\(error)",
                    ])
            }
        }
        await sink.close()
    }

    private func process(_ claimed: any ClaimedDelivery) async throws {
        let keeper = LeaseKeeper(lease: claimed.lease, environment: environment) {
            try await claimed.extend()
        }
        try await keeper.holding {
            let start = environment.clock.now
            do {
                try await environment.retrying(
                    "stage \(stage): deliver", limit: Self.attemptsInPlace
                ) { try await sink.deliver(claimed.batch) }
            } catch let error as PipelineError where error.disposition != .fatal {
                try await claimed.release(after: Self.pause)
                throw error
            }
            try await environment.retrying("stage \(stage): mark a delivery") {
                try await claimed.delivered()
            }
            environment.observer.delivered(
                stage: stage, outcomes: claimed.batch.outcomes.count,
                took: start.duration(to: environment.clock.now))
        }
    }
}

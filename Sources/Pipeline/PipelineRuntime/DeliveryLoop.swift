internal import Logging
internal import PipelineCore

/// Delivers committed batches to one sink, which has its own marks and is retried alone.
///
/// A batch that fails is given back for a while that grows with every try; the ledger keeps count,
/// so that neither a restart nor another process begins anew. Other batches go on meanwhile.
struct DeliveryLoop: Sendable {
    /// Tries in place before the batch is given back for a while.
    private static let attemptsInPlace = 3
    /// How long a batch is paused when the sink may be back any moment.
    private static let passing = RetryPolicy(first: .seconds(5), longest: .seconds(30))
    /// How long it is paused when somebody has to do something about the sink first.
    private static let lasting = RetryPolicy(first: .seconds(5), longest: .seconds(600))

    /// What became of a batch.
    private enum End {
        case delivered
        case postponed(PipelineError, Duration)
    }

    let stage: String
    let barrier: RunningBarrier
    let sink: any OutcomeSink
    let environment: RunEnvironment

    func run() async throws {
        var trouble = DeliveryTrouble()
        while let batch = try await environment.unlessStopped({
            try await environment.retrying("stage \(stage): claim a delivery") {
                try await claim()
            }
        }) {
            do {
                switch try await process(batch) {
                case .delivered: tellEnd(of: &trouble, batch)
                case .postponed(let error, _) where error.disposition == .retryable:
                    // Said already, when it began: each batch that waits for the sink would say it
                    // again.
                    break
                case .postponed(let error, let pause): tell(&trouble, batch, error, pause)
                }
            } catch let error as PipelineError where error.disposition != .fatal {
                if error.disposition == .fenced { environment.observer.deliveryLost(stage: stage) }
                environment.logger.warning(
                    "delivery given up",
                    metadata: [
                        "stage": "\(stage)", "batch": "\(batch.number)", "error": "\(error)",
                    ])
            }
        }
        await sink.close()
    }

    /// Claims the next committed batch that the sink has not got, waiting for one.
    private func claim() async throws -> OutcomeBatch {
        let what = "stage \(stage): claim a delivery"
        while true {
            environment.loop?.begins(what)
            if let batch = try await barrier.ledger.claimDelivery(
                sink: stage, worker: environment.worker, lease: barrier.deliveryLease)
            {
                return batch
            }
            let next = barrier.nextLook
            environment.loop?.begins(what, within: environment.clock.now.duration(to: next))
            try await barrier.committed(for: stage).wait(until: next, clock: environment.clock)
        }
    }

    private func process(_ batch: OutcomeBatch) async throws -> End {
        let (ledger, lease) = (barrier.ledger, barrier.deliveryLease)
        let (number, token) = (batch.number, batch.token)
        let keeper = LeaseKeeper(
            stage: stage, lease: lease, environment: environment.beside,
            extend: {
                try await ledger.extendDelivery(
                    batch: number, sink: stage, token: token, lease: lease)
            },
            handBack: {
                try await ledger.handBackDelivery(batch: number, sink: stage, token: token)
            })
        return try await keeper.holding {
            let start = environment.clock.now
            let refused: [OutcomeRefusal]
            do {
                refused = try await environment.retrying(
                    "stage \(stage): deliver", limit: Self.attemptsInPlace,
                    taking: sink.longestDelivery(of: batch.outcomes.count)
                ) { try batch.checked(try await sink.deliver(batch), by: stage) }
            } catch let error as PipelineError where error.disposition != .fatal {
                let policy = error.disposition == .permanent ? Self.lasting : Self.passing
                let pause = policy.pause(after: batch.attempts, random: environment.random)
                try await ledger.releaseDelivery(
                    batch: number, sink: stage, token: token, after: pause)
                return .postponed(error, pause)
            }
            try await environment.retrying("stage \(stage): mark a delivery") {
                try await ledger.delivered(
                    batch: number, sink: stage, token: token, refused: refused)
            }
            environment.observer.delivered(
                stage: stage, outcomes: batch.outcomes.count - refused.count,
                took: start.duration(to: environment.clock.now))
            tell(refused, of: batch)
            return .delivered
        }
    }

    /// Tells of what was parked, once for the batch.
    private func tell(_ refused: [OutcomeRefusal], of batch: OutcomeBatch) {
        guard let first = refused.first else { return }
        for (code, group) in Dictionary(grouping: refused, by: \.code) {
            environment.observer.parked(stage: stage, code: code, outcomes: group.count)
        }
        let item = batch.outcomes.first { $0.caseNumber == first.caseNumber }
        var metadata: Logger.Metadata = [
            "stage": "\(stage)", "batch": "\(batch.number)", "refused": "\(refused.count)",
            "outcomes": "\(batch.outcomes.count)", "code": "\(first.code)",
            "reason": "\(first.reason)", "case_id": "\(item?.caseID.description ?? "")",
        ]
        if let trace = item?.trace { metadata["trace_id"] = "\(trace.traceID)" }
        environment.logger.warning(
            "the sink refuses outcomes for good: they are parked (penstock dead-letters)",
            metadata: metadata)
    }

    private func tell(
        _ trouble: inout DeliveryTrouble, _ batch: OutcomeBatch, _ error: PipelineError,
        _ pause: Duration
    ) {
        guard trouble.failed(batch.number, at: environment.clock.now) else { return }
        environment.logger.warning(
            "delivery failed; it will be tried again",
            metadata: [
                "stage": "\(stage)", "batch": "\(batch.number)", "attempt": "\(batch.attempts)",
                "waiting_batches": "\(trouble.waiting.count)",
                "pause_seconds": "\(pause.inSeconds)", "error": "\(error)",
            ])
    }

    private func tellEnd(of trouble: inout DeliveryTrouble, _ batch: OutcomeBatch) {
        guard trouble.delivered(batch.number) else { return }
        environment.logger.notice("delivery works again", metadata: ["stage": "\(stage)"])
    }
}

extension OutcomeBatch {
    /// What a sink refuses of the batch.
    ///
    /// - Throws: ``PipelineError`` `sink-mismatch`, fatal, for a case that the sink was not given,
    ///   or that it refuses twice: what it says of the others can't be believed then.
    func checked(
        _ refused: [OutcomeRefusal], by stage: String
    ) throws(PipelineError) -> [OutcomeRefusal] {
        if refused.isEmpty { return refused }
        var left = Set(outcomes.map(\.caseNumber))
        for refusal in refused where left.remove(refusal.caseNumber) == nil {
            let isGiven = outcomes.contains { $0.caseNumber == refusal.caseNumber }
            throw .fatal(
                .sinkMismatch,
                "stage \(stage) refuses case \(refusal.caseNumber)"
                    + (isGiven ? " twice" : ", which it was not given"))
        }
        return refused
    }
}

/// When a sink's trouble is told of: as it begins, now and then, and when it is over. No I/O.
private struct DeliveryTrouble: Sendable {
    /// Batches that have failed here and were not delivered here since.
    private(set) var waiting: Set<Int64> = []
    private var lastTold: Instant?

    private static let interval = Duration.seconds(60)
    /// Beyond that, batches are not told apart.
    private static let most = 10_000

    /// Answers whether to tell of it.
    mutating func failed(_ batch: Int64, at now: Instant) -> Bool {
        if waiting.count < Self.most { waiting.insert(batch) }
        if let lastTold, lastTold.duration(to: now) < Self.interval { return false }
        lastTold = now
        return true
    }

    /// Answers whether this was the last one that waited.
    mutating func delivered(_ batch: Int64) -> Bool {
        guard waiting.remove(batch) != nil, waiting.isEmpty else { return false }
        lastTold = nil
        return true
    }
}

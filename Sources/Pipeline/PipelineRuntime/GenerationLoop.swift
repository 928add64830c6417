internal import Logging
internal import PipelineCore

/// Claims sealed batches, has them answered under their lease, and commits the outcomes.
struct GenerationLoop: Sendable {
    let stage: String
    let barrier: any Barrier
    let generator: any Generator
    let sinks: [String]
    let environment: RunEnvironment

    func run() async throws {
        while let claimed = try await environment.unlessStopped({
            try await environment.retrying("stage \(stage): claim a batch") {
                try await barrier.nextBatch(worker: environment.worker)
            }
        }) {
            do {
                try await process(claimed)
            } catch let error as PipelineError where error.disposition == .fenced {
                environment.observer.generationFailed(stage: stage, error)
                log(claimed.batch, "batch given up: its lease was lost", error)
            }
        }
    }

    private func process(_ claimed: any ClaimedBatch) async throws {
        let batch = claimed.batch
        let keeper = LeaseKeeper(lease: claimed.lease, environment: environment) {
            try await claimed.extend()
        }
        try await keeper.holding {
            let start = environment.clock.now
            let generated: GeneratedBatch
            do {
                generated = try await generator.generate(batch)
                precondition(
                    generated.results.count == batch.cases.count,
                    "a generator answers every case of its batch")
            } catch let error as PipelineError where error.disposition != .fenced {
                return try await answerFailure(error, of: claimed, since: start)
            }
            environment.outages.succeeded(generating)
            do {
                try await commit(generated, of: claimed, since: start)
            } catch let error as PipelineError where error.disposition == .permanent {
                // The store refuses one of the outcomes: found like a case that can't be answered.
                try await answerFailure(error, of: claimed, since: start)
            }
        }
    }

    private var generating: String { "stage \(stage): generate" }

    private func commit(
        _ generated: GeneratedBatch, of claimed: any ClaimedBatch, since start: Instant
    ) async throws {
        let took = start.duration(to: environment.clock.now)
        let committedAt = try await environment.retrying("stage \(stage): commit a batch") {
            try await claimed.commit(generated, took: took, sinks: sinks)
        }
        let late = claimed.batch.cases.count { $0.deadline < committedAt }
        environment.observer.generated(
            stage: stage, cases: claimed.batch.cases.count, took: took, late: late)
        environment.logger.info(
            "batch generated",
            metadata: [
                "stage": "\(stage)", "batch": "\(claimed.batch.number)",
                "cases": "\(claimed.batch.cases.count)", "late": "\(late)",
                "closed_by": "\(claimed.batch.closedBy)", "seconds": "\(took.inSeconds)",
            ])
    }

    /// Retryable: later, perhaps elsewhere. Permanent: in halves, until the poison cases stand alone, and these fail.
    private func answerFailure(
        _ error: PipelineError, of claimed: any ClaimedBatch, since start: Instant
    ) async throws {
        let batch = claimed.batch
        environment.observer.generationFailed(stage: stage, error)
        switch error.disposition {
        case .retryable:
            let pause = environment.retry.pause(after: batch.attempts, random: environment.random)
            environment.outages.failed(
                generating, error, "batch failed; it will be tried again",
                clock: environment.clock, logger: environment.logger, metadata: about(batch))
            try await environment.retrying("stage \(stage): release a batch") {
                try await claimed.release(after: pause, reason: error.description)
            }
        case .permanent where batch.cases.count > 1:
            log(batch, "batch failed; it is split in two", error)
            try await environment.retrying("stage \(stage): split a batch") {
                try await claimed.bisect()
            }
        case .permanent:
            log(batch, "case failed", error)
            let answer = GeneratedBatch(
                results: [.failure(code: error.code, reason: error.message)],
                dataAsOf: environment.clock.timestamp)
            try await commit(answer, of: claimed, since: start)
        case .fatal, .fenced:
            throw error
        }
    }

    private func log(_ batch: Batch, _ message: Logger.Message, _ error: PipelineError) {
        environment.logger.warning(
            message, metadata: about(batch).merging(["error": "\(error)"]) { $1 })
    }

    private func about(_ batch: Batch) -> Logger.Metadata {
        [
            "stage": "\(stage)", "batch": "\(batch.number)", "cases": "\(batch.cases.count)",
            "attempt": "\(batch.attempts)",
        ]
    }
}

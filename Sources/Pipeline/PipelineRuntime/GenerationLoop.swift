internal import Logging
internal import PipelineCore

/// Claims sealed batches, has them answered under their lease, and commits the outcomes.
struct GenerationLoop: Sendable {
    let stage: String
    let barrier: RunningBarrier
    let generator: any Generator
    let sinks: [String]
    let environment: RunEnvironment

    /// A claimed batch in work.
    private struct Claim {
        let batch: Batch
        /// The outcomes' ids, chosen once: a commit that is repeated after a lost answer writes the
        /// same.
        let outcomeIDs: [UUID]
    }

    func run() async throws {
        while let claim = try await environment.unlessStopped({
            try await environment.retrying("stage \(stage): claim a batch") { try await claim() }
        }) {
            do {
                try await process(claim)
            } catch let error as PipelineError where error.disposition == .fenced {
                environment.observer.generationFailed(stage: stage, error)
                log(claim.batch, "batch given up: its lease was lost", error)
            }
        }
    }

    /// Claims the next sealed batch, waiting for one.
    private func claim() async throws -> Claim {
        let what = "stage \(stage): claim a batch"
        while true {
            environment.loop?.begins(what)
            if let batch = try await barrier.ledger.claim(
                worker: environment.worker, lease: barrier.lease)
            {
                return Claim(
                    batch: batch, outcomeIDs: batch.cases.map { _ in environment.random.uuid() })
            }
            let next = barrier.nextLook
            environment.loop?.begins(what, within: environment.clock.now.duration(to: next))
            try await barrier.sealed.wait(until: next, clock: environment.clock)
        }
    }

    private func process(_ claim: Claim) async throws {
        let (ledger, lease) = (barrier.ledger, barrier.lease)
        let (batch, token) = (claim.batch.number, claim.batch.token)
        let keeper = LeaseKeeper(
            lease: lease, environment: environment.beside,
            extend: { try await ledger.extend(batch: batch, token: token, lease: lease) },
            handBack: { try await ledger.handBack(batch: batch, token: token) })
        try await keeper.holding {
            let start = environment.clock.now
            environment.loop?.begins(
                "\(generating) batch \(batch)", within: generator.longestRun)
            let generated: GeneratedBatch
            do {
                generated = try await generator.generate(claim.batch).checked(against: claim.batch)
            } catch let error as PipelineError where error.disposition != .fenced {
                return try await answerFailure(error, of: claim, since: start)
            }
            environment.outages.succeeded(generating)
            do {
                try await commit(generated, of: claim, since: start)
            } catch let error as PipelineError where error.disposition == .permanent {
                // The store refuses one of the outcomes: found like a case that can't be answered.
                try await answerFailure(error, of: claim, since: start)
            }
        }
    }

    private var generating: String { "stage \(stage): generate" }

    private func commit(
        _ generated: GeneratedBatch, of claim: Claim, since start: Instant
    ) async throws {
        let batch = claim.batch
        let took = start.duration(to: environment.clock.now)
        let commit = BatchCommit(
            batch: batch.number, token: batch.token, cases: batch.cases.map(\.number),
            outcomeIDs: claim.outcomeIDs, results: generated.results, dataAsOf: generated.dataAsOf,
            sinks: sinks, took: took, rowsRead: generated.rowsRead)
        let committedAt = try await environment.retrying("stage \(stage): commit a batch") {
            try await barrier.ledger.commit(commit)
        }
        barrier.hasCommitted(for: sinks)
        let late = batch.cases.count { $0.deadline < committedAt }
        environment.observer.generated(
            stage: stage, batch.cases, took: took, committedAt: committedAt)
        environment.logger.info(
            "batch generated",
            metadata: [
                "stage": "\(stage)", "batch": "\(batch.number)",
                "cases": "\(batch.cases.count)", "late": "\(late)",
                "closed_by": "\(batch.closedBy)", "seconds": "\(took.inSeconds)",
            ])
    }

    /// Retryable: later, perhaps elsewhere. Permanent: in halves, until the poison cases stand
    /// alone, and these fail.
    private func answerFailure(
        _ error: PipelineError, of claim: Claim, since start: Instant
    ) async throws {
        let batch = claim.batch
        environment.observer.generationFailed(stage: stage, error)
        switch error.disposition {
        case .retryable:
            let pause = environment.retry.pause(after: batch.attempts, random: environment.random)
            environment.outages.failed(
                generating, error, "batch failed; it will be tried again", metadata: about(batch))
            try await environment.retrying("stage \(stage): release a batch") {
                try await barrier.ledger.release(
                    batch: batch.number, token: batch.token, after: pause,
                    reason: error.description)
            }
        case .permanent where batch.cases.count > 1:
            log(batch, "batch failed; it is split in two", error)
            try await environment.retrying("stage \(stage): split a batch") {
                try await barrier.ledger.bisect(batch: batch.number, token: batch.token)
            }
            barrier.hasSealed()
        case .permanent:
            log(batch, "case failed", error)
            let answer = GeneratedBatch(
                results: [.failure(code: error.code, reason: error.message)],
                dataAsOf: environment.clock.timestamp)
            try await commit(answer, of: claim, since: start)
        case .fatal, .fenced:
            throw error
        }
    }

    private func log(_ batch: Batch, _ message: Logger.Message, _ error: PipelineError) {
        environment.logger.warning(
            message, metadata: about(batch).merging(["error": "\(error)"]) { $1 })
    }

    private func about(_ batch: Batch) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "stage": "\(stage)", "batch": "\(batch.number)", "cases": "\(batch.cases.count)",
            "attempt": "\(batch.attempts)",
        ]
        if batch.cases.count == 1 {
            metadata["case_id"] = "\(batch.cases[0].id)"
            if let trace = batch.cases[0].trace { metadata["trace_id"] = "\(trace.traceID)" }
        }
        return metadata
    }
}

/// Answers the requests of a chunk in a chain without a durable barrier.
struct DirectGeneration: Sendable {
    let stage: String
    let generator: any Generator
    let environment: RunEnvironment

    func answer(_ chunk: Chunk) async throws -> OutcomeBatch {
        let now = environment.clock.timestamp
        let cases = chunk.records.enumerated().compactMap { index, record in
            record.id.map {
                Case(
                    number: Int64(index), id: $0, acceptedAt: now,
                    deadline: record.deadline ?? now, parameters: record.body,
                    trace: record.trace)
            }
        }
        let start = environment.clock.now
        let results = try await results(for: cases, sealedAt: now)
        let written = environment.clock.timestamp
        environment.observer.generated(
            stage: stage, cases, took: start.duration(to: environment.clock.now),
            committedAt: written)
        return OutcomeBatch(
            number: 0, token: 0,
            outcomes: zip(cases, results.results).map { item, result in
                Outcome(
                    id: environment.random.uuid(), item: item, batch: 0, result: result,
                    dataAsOf: results.dataAsOf, writtenAt: written)
            })
    }

    private func results(for cases: [Case], sealedAt: Timestamp) async throws -> GeneratedBatch {
        if cases.isEmpty { return GeneratedBatch(results: [], dataAsOf: sealedAt) }
        let batch = Batch(
            number: 0, token: 0, attempts: 1, closedBy: "none", sealedAt: sealedAt, cases: cases)
        environment.loop?.begins("stage \(stage): generate", within: generator.longestRun)
        do {
            return try await generator.generate(batch).checked(against: batch)
        } catch let error as PipelineError where error.disposition == .permanent {
            guard cases.count > 1 else {
                return GeneratedBatch(
                    results: [.failure(code: error.code, reason: error.message)],
                    dataAsOf: sealedAt)
            }
            let half = cases.count / 2
            let first = try await results(for: Array(cases[..<half]), sealedAt: sealedAt)
            let second = try await results(for: Array(cases[half...]), sealedAt: sealedAt)
            return GeneratedBatch(
                results: first.results + second.results,
                dataAsOf: min(first.dataAsOf, second.dataAsOf))
        }
    }
}

extension GeneratedBatch {
    /// - Throws: ``PipelineError`` `generator-mismatch`, fatal: a generator that miscounts can't be
    ///   believed in anything.
    func checked(against batch: Batch) throws(PipelineError) -> GeneratedBatch {
        if results.count == batch.cases.count { return self }
        throw .fatal(
            .generatorMismatch,
            "the generator answered \(results.count) of \(batch.cases.count) cases; it must answer each of them, in order"
        )
    }
}

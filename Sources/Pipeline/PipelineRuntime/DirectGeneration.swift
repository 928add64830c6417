internal import PipelineCore

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
                    number: Int64(index), id: $0, deadline: record.deadline ?? now,
                    parameters: record.body)
            }
        }
        let start = environment.clock.now
        let results = try await results(for: cases, sealedAt: now)
        let written = environment.clock.timestamp
        environment.observer.generated(
            stage: stage, cases: cases.count, took: start.duration(to: environment.clock.now),
            late: cases.count { $0.deadline < written })
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

internal import PipelineCore

/// Gives up a run that takes too long.
struct TimedGenerator: Generator {
    let inner: any Generator
    let timeout: Duration
    let clock: PipelineClock

    func probe() async throws { try await inner.probe() }

    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        try await withThrowingTaskGroup(of: GeneratedBatch?.self) { group in
            group.addTask { try await inner.generate(batch) }
            group.addTask {
                do { try await clock.sleep(for: timeout) } catch is CancellationError {}
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            if let first { return first }
            // It may have finished together with the time-out: then the answer counts.
            if case .success(let late?)? = await group.nextResult() { return late }
            try Task.checkCancellation()
            throw PipelineError.retryable(
                "generation-timeout", "the generator did not answer within \(timeout)")
        }
    }
}

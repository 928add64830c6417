public import PipelineCore

/// Answers batches in virtual time, with planted errors.
///
/// A case whose parameters hold `poison` makes its whole run fail for good, one with `refused` is answered with a
/// reason; any run may fail for now. Every run answers differently, so that an outcome that changes shows.
public struct SimulatedGenerator: Generator {
    public var runTime: ClosedRange<Duration> = .seconds(1) ... .seconds(30)
    /// Share of runs that fail and may be tried again.
    public var failing = 0.0
    /// From then on runs fail for good reasons only.
    public var clearsUp = Instant(nanoseconds: .max)
    private let process: SimulatedProcess

    public init(in process: SimulatedProcess) { self.process = process }

    public func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let simulator = process.simulator
        let dataAsOf = process.timestamp
        try await process.clock.sleep(for: simulator.duration(runTime))
        if process.now < clearsUp, simulator.chance(failing) {
            throw PipelineError.retryable("generator-unavailable", "the generator is out of order")
        }
        let texts = batch.cases.map { String(decoding: $0.parameters, as: UTF8.self) }
        if texts.contains(where: { $0.contains("poison") }) {
            throw PipelineError.permanent("poison", "a case of the batch can't be generated")
        }
        let run = simulator.next()
        let results = zip(batch.cases, texts).map { item, text -> CaseResult in
            if text.contains("refused") {
                return .failure(code: "refused", reason: "no such product, says run \(run)")
            }
            return .report(Array("report of \(item.id) by run \(run)".utf8)[...])
        }
        return GeneratedBatch(results: results, dataAsOf: dataAsOf)
    }
}

public import ConfigurationFields
internal import DryRunReport
internal import PipelineConfiguration
internal import PipelineCore

/// How long a generation run takes: a fixed part, and a part for each case. `30s + 10ms*n`
public struct GenerationCostModel: TextValue, Sendable, Hashable {
    public static let kind = "cost of a generation run"

    public static let usual = GenerationCostModel(fixed: .seconds(30), perCase: .milliseconds(10))

    public let fixed: Duration
    public let perCase: Duration

    public init(fixed: Duration, perCase: Duration) {
        self.fixed = fixed
        self.perCase = perCase
    }

    public init(parsing text: String) throws(Refusal) {
        var fixed = Duration.zero
        var perCase = Duration.zero
        for term in text.split(separator: "+", omittingEmptySubsequences: false) {
            var term = term.filter { $0 != " " }
            if term.hasSuffix("*n") {
                term.removeLast(2)
                perCase += try Self.duration(term)
            } else {
                fixed += try Self.duration(term)
            }
        }
        self.init(fixed: fixed, perCase: perCase)
    }

    private static func duration(_ text: String) throws(Refusal) -> Duration {
        do { return try Duration(parsing: text) } catch {
            throw Refusal(
                error.code, "is no cost of a generation run",
                hint: "write a fixed part and a part for each case: 30s + 10ms*n")
        }
    }

    public func cost(of cases: Int) -> Duration { fixed + perCase * cases }

    public var text: String { "\(fixed.text) + \(perCase.text)*n" }
}

/// Every generator of a rehearsal: takes as long as the cost model says, and answers every case.
struct SimulatedGenerator: Generator {
    let cost: GenerationCostModel
    let clock: PipelineClock
    let start: Timestamp
    /// How many cases a batch has that the rule calls full.
    let fullBatch: Int?
    let recorder: SimulationRecorder

    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let begun = clock.timestamp
        recorder.note(claimed: batch.cases.count)
        try await clock.sleep(for: cost.cost(of: batch.cases.count))
        recorder.note(
            BatchFigures(
                number: batch.number, closedBy: batch.closedBy,
                sealedAt: start.duration(to: batch.sealedAt),
                generation: start.duration(to: begun)..<start.duration(to: clock.timestamp),
                cases: batch.cases.map(\.id),
                fill: fullBatch.map { Double(batch.cases.count) / Double($0) }))
        return GeneratedBatch(
            results: batch.cases.map { _ in .report([]) }, dataAsOf: begun, rowsRead: 0)
    }
}

extension SimulatedGenerator {
    init(_ plan: PipelineRehearsal, _ clock: PipelineClock, _ recorder: SimulationRecorder) {
        self.init(
            cost: plan.cost, clock: clock, start: plan.trace.start,
            fullBatch: plan.definition.stages.lazy.compactMap {
                ($0.settings as? any SealingStage)?.fullBatch
            }.first, recorder: recorder)
    }
}

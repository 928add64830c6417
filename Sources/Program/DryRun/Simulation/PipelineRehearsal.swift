public import PipelineConfiguration
public import PipelineCore
internal import PipelineSimulation

/// Runs a pipeline over an arrival trace in virtual time: the real stages and the real runtime, with every bus,
/// store, cache, front door and generator replaced before anything is opened.
public struct PipelineRehearsal: Sendable {
    public var definition: PipelineDefinition
    public var catalogue: Catalogue
    public var trace: ArrivalTrace
    public var cost: GenerationCostModel
    /// Processes that run the pipeline.
    public var workers = 1
    public var seed: UInt64 = 1

    public init(
        _ definition: PipelineDefinition, catalogue: Catalogue, trace: ArrivalTrace,
        cost: GenerationCostModel
    ) {
        self.definition = definition
        self.catalogue = catalogue
        self.trace = trace
        self.cost = cost
    }

    /// - Parameter progress: hears now and then which share of the trace has passed, in 0 ... 1.
    /// - Throws: ``PipelineError`` when the pipeline gives up.
    public func run(progress: (Double) -> Void = { _ in }) throws -> SimulationReport {
        let began = ContinuousClock.now
        let world = try RehearsalWorld(self)
        try world.run(progress: progress)
        var report = world.report()
        report.took = began.duration(to: .now)
        return report
    }
}

internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import Specification

/// A pipeline's barrier, opened beside whoever runs it.
struct BarrierAccess {
    let barrier: any Barrier
    let resources: OpenResources

    /// - Throws: ``CommandFailure`` when the pipeline has no such barrier.
    static func open(
        _ definition: PipelineDefinition, stage id: String, catalogue: Catalogue
    ) async throws -> BarrierAccess {
        guard let stage = definition.stage(id), stage.role == .barrier else {
            let barriers = definition.stages.filter { $0.role == .barrier }.map(\.id)
            let hint =
                barriers.isEmpty
                ? "the pipeline has none" : "there is \(barriers.joined(separator: ", "))"
            throw CommandFailure(
                .usage, "\(definition.file) has no accumulate stage \"\(id)\": \(hint)")
        }
        let logger = Logger(label: "penstock", level: .warning)
        let clock = PipelineClock.system
        let random = RandomSource()
        var resources = OpenResources(
            catalogue: catalogue,
            context: ResourceContext(
                clock: clock, random: random, logger: logger, isRunning: false))
        var context = StageContext(
            pipeline: definition.name, stage: id, sla: definition.sla,
            worker: ProcessEnvironment.worker, clock: clock, random: random, logger: logger,
            catalogue: catalogue, resources: try resources.open(definition))
        context.owners = definition.stateOwners
        guard case .barrier(let barrier) = try stage.settings.build(context) else {
            throw CommandFailure(
                .usage,
                "stage \"\(id)\" keeps its batches in memory; they can't be flushed from outside")
        }
        return BarrierAccess(barrier: barrier, resources: resources)
    }
}

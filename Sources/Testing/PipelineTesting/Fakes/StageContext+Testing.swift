internal import Logging
public import PipelineCore

extension StageContext {
    /// What a stage is built with in a test: a silent log, a fixed seed, nothing in its catalogue.
    public static func testing(
        clock: PipelineClock, stage: String = "stage", positions: (any PositionStore)? = nil,
        resources: [ResourceName: any Resource] = [:], sla: Duration = .hours(24),
        catalogue: Catalogue = Catalogue(), servesCallers: Bool = true
    ) -> StageContext {
        StageContext(
            pipeline: "pipeline", stage: stage, sla: sla, worker: "host:1", clock: clock,
            random: RandomSource(seed: 1), logger: LogCapture().logger(), catalogue: catalogue,
            resources: resources, positions: positions, servesCallers: servesCallers)
    }
}

import ConfigurationDiagnostics
import ConfigurationFields
import Logging
import PipelineConfiguration
import PipelineCore
import PipelineRuntime
import PipelineSimulation
import Stages

/// A worker process of a simulated world: the real runtime over the real stages.
struct Worker: Sendable {
    let process: SimulatedProcess
    let callers: SimulatedCallers
    private let run: PipelineRun

    /// - Parameter resources: bus, store and cache of this process.
    init(
        process: SimulatedProcess, plan: WorldPlan, resources: [ResourceName: any Resource]
    ) throws {
        self.process = process
        let service = SimulatedRequestService()
        callers = SimulatedCallers(service: service, clock: process.clock)
        var resources = resources
        resources["api"] = service
        let catalogue = Catalogue.simulated(plan, process)
        let definition = try Self.definition(plan, catalogue)
        let random = RandomSource(seed: process.simulator.next())
        let logger = Logger(label: process.name, level: .info) { _ in
            HistoryLogHandler(process: process)
        }
        let context = StageContext(
            pipeline: definition.name, stage: "", sla: definition.sla, worker: process.name,
            clock: process.clock, random: random, logger: logger, catalogue: catalogue,
            resources: resources)
        let graph = try PipelineGraph(
            stages: definition.stages.map { PlannedStage(id: $0.id, settings: $0.settings) },
            context: context)
        run = PipelineRun(
            graph, role: .all,
            environment: RunEnvironment(
                clock: process.clock, random: random, logger: logger, worker: process.name))
    }

    /// SIGTERM.
    func stop() { run.stop() }

    /// Runs the pipeline, and serves callers as long as it runs.
    func main() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await callers.serve() }
            defer { group.cancelAll() }
            try await run.run()
        }
    }

    private static func definition(
        _ plan: WorldPlan, _ catalogue: Catalogue
    ) throws -> PipelineDefinition {
        let text = Array(plan.pipeline.utf8)
        let reading = PipelineReader(catalogue: catalogue, environment: Environment())
            .read(text, file: "world.json")
        if let definition = reading.definition { return definition }
        throw Broken(description: "the pipeline can't be read: \(reading.diagnostics.list)")
    }
}

extension Catalogue {
    fileprivate static func simulated(_ plan: WorldPlan, _ process: SimulatedProcess) -> Catalogue {
        Catalogue(
            stages: [
                IngestStage.self, DedupeStage.self, AccumulateStage.self, GenerateStage.self,
                PublishStage.self, CacheStage.self,
            ],
            codecs: [
                Codec(
                    name: "simulated", summary: "Simulated requests.", yields: .requests,
                    decoder: SimulatedCodec(), encoder: SimulatedCodec())
            ],
            connectors: [
                .simulated("bus"), .simulated("store"), .simulated("cache"), .simulated("api"),
            ],
            generators: [
                GeneratorRegistration(name: "simulated", summary: "Simulated reports.") { _, _, _ in
                    var generator = FailingGenerator(in: process)
                    generator.failing = plan.failingRuns
                    generator.faultsEnd = Instant(nanoseconds: 0).advanced(by: plan.horizon)
                    generator.runTime = .seconds(1) ... .seconds(45)
                    return generator
                }
            ])
    }
}

extension Connector {
    fileprivate static func simulated(_ kind: String) -> Connector {
        Connector(
            schemes: [kind], summary: "Simulated.", example: "\(kind):world",
            kinds: [ResourceKind(rawValue: kind)!]
        ) { _, _ in
            throw PipelineError.fatal(ErrorCode(foreign: "unused"), "resources are handed in")
        }
    }
}

extension WorldPlan {
    fileprivate var pipeline: String {
        let margin = deadlineMargin.map {
            #", { "deadline_margin": "\#($0.components.seconds)s" }"#
        }
        let memory = sharesMemory ? #", "in": "cache""# : ""
        return """
            {
              "version": 1, "name": "world", "sla": "24h",
              "resources": {
                "bus": { "url": "bus:world" }, "store": { "url": "store:world" },
                "cache": { "url": "cache:world" }, "api": { "url": "api:world" }
              },
              "stages": [
                { "id": "requests", "type": "ingest", "codec": "simulated",
                  "from": [ { "resource": "bus", "topic": "requests", "max_chunk": \(maxChunk) },
                            { "resource": "api" } ] },
                { "id": "unique", "type": "dedupe", "key": "case_id", "window": "10m"\(memory) },
                { "id": "batch", "type": "accumulate", "store": "store",
                  "trigger": { "any": [ { "count": \(count) },
                    { "max_age": "\(maxAge.components.seconds)s" }\(margin ?? "") ] },
                  "max_batch": \(maxBatch), "min_interval": "\(minInterval.components.seconds)s",
                  "lease": "\(lease.components.seconds)s", "poll": "\(poll.components.seconds)s" },
                { "id": "reports", "type": "generate", "generator": "simulated", "timeout": "40s" },
                { "id": "ready", "type": "publish", "to": "bus", "topic": "ready",
                  "key": "case_id", "codec": "simulated" },
                { "id": "answers", "type": "cache", "in": "cache", "codec": "simulated" }
              ]
            }
            """
    }
}

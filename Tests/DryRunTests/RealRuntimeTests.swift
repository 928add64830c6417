import PipelineCore

// Foundation makes and removes a folder; nothing else of it is used.
import Concurrency
import Foundation
import Logging
import PipelineConfiguration
import PipelineCore
import PipelineRuntime
import StandardCatalogue
import Testing

@testable import DryRun
import DryRunReport

/// The same trace, once in virtual time, and once through the real runtime, bus and ledger on a
/// disk.
///
/// Time runs `PENSTOCK_TIME_FACTOR` times faster (360) over `PENSTOCK_SIMULATED_HOURS` (6). The
/// trace leaves the minutes around a firing by age without arrivals: how late a real clock rings is
/// not for a simulation to tell.
@Suite("A rehearsal and the real runtime", .serialized)
struct RealRuntimeTests {
    private static func setting(_ name: String, default value: Int) -> Int {
        ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? value
    }
    private let hours = setting("PENSTOCK_SIMULATED_HOURS", default: 6)
    private let factor = setting("PENSTOCK_TIME_FACTOR", default: 360)
    private let perHour = 4167
    private let cost = GenerationCostModel(fixed: .seconds(30), perCase: .milliseconds(10))

    @Test("seal the same cases into the same batches for the same reasons")
    func sameBatches() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "penstock-rehearsal-\(Foundation.UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let definition = try Rehearsal.definition(changing: [
            ("embedded:data/penstock.sqlite", "embedded:\(folder.path)/penstock.sqlite"),
            (#"{ "partitions": 3 } },"#, #"{ "partitions": 1 } }"#),
            (#"{ "resource": "api" } ] },"#, "] },"),
            (
                #""api":   { "url": { "$env": "PENSTOCK_LISTEN", "default": "grpc://127.0.0.1:50051" } }"#,
                ""
            ),
            (#""default": "memory:64MiB" } },"#, #""default": "memory:64MiB" } }"#),
            (#""unit": "h", "default": 12"#, #""unit": "m", "default": 10"#),
        ])
        let patterns = (0..<hours).map { "uniform \(perHour * 3 / 2)/h for 40m from \($0)h" }
        var mix = ArrivalMix(patterns: try patterns.map { try ArrivalPattern(parsing: $0) })
        mix.repeats = 0.05
        let trace = ArrivalTrace(
            mix, startingAt: Timestamp(microseconds: 1_767_225_600_000_000),
            sample: Catalogue.standard.codec("report-request")!.sample!)

        let simulated = try PipelineRehearsal(
            definition, catalogue: .standard, trace: trace, cost: cost
        ).run()
        let real = try await RealRun(definition, trace, cost: cost, factor: Double(factor))
            .batches(untilAnswered: simulated.waits.count)

        let ratio = (simulated.end / simulated.took).rounded()
        print("\(trace.arrivals.count) messages, \(hours) h: simulated \(Int(ratio)) : 1")
        #expect(simulated.unanswered == 0)
        #expect(simulated.batches.contains { $0.closedBy == "max_age" })
        #expect(real.map(\.closedBy) == simulated.batches.map(\.closedBy))
        #expect(real.map(\.cases) == simulated.batches.map(\.cases))
    }
}

/// A pipeline run for real, but for its generator, on a faster clock.
private struct RealRun {
    private let definition: PipelineDefinition
    private let trace: ArrivalTrace
    private let cost: GenerationCostModel
    private let clock: PipelineClock
    private let recorder = SimulationRecorder()

    init(
        _ definition: PipelineDefinition, _ trace: ArrivalTrace, cost: GenerationCostModel,
        factor: Double
    ) {
        self.definition = definition
        self.trace = trace
        self.cost = cost
        clock = PipelineClock(FakeScaledTime(factor: factor, epoch: trace.start))
    }

    /// The batches in the order of their sealing, once so many cases are answered.
    func batches(untilAnswered count: Int) async throws -> [BatchFigures] {
        let answered = AsyncEvent()
        var catalogue = Catalogue.standard
        catalogue.generators = catalogue.generators.map { registration in
            var stand = registration
            stand.make = { [cost, recorder, trace] _, _, context in
                RecordingGenerator(
                    inner: SimulatedGenerator(
                        cost: cost, clock: context.clock, start: trace.start, fullBatch: nil,
                        recorder: recorder)
                ) { if recorder.current.answered.count >= count { answered.set() } }
            }
            return stand
        }
        let logger = Logger(label: "test", level: .error)
        let random = RandomSource(seed: 1)
        let opening = ResourceContext(
            clock: clock, random: random, logger: logger, isRunning: false)
        var resources: [ResourceName: any Resource] = [:]
        // Bus and store are one file, and so one resource.
        var byAddress: [String: any Resource] = [:]
        for resource in definition.resources {
            let made =
                try byAddress[resource.address.url]
                ?? catalogue.connector(resource.address.scheme)!.open(resource.address, opening)
            byAddress[resource.address.url] = made
            resources[resource.name] = made
        }
        try await (resources["store"] as! any StandardStore).migrate()
        let graph = try PipelineGraph(
            stages: definition.stages.map { PlannedStage(id: $0.id, settings: $0.settings) },
            context: StageContext(
                pipeline: definition.name, stage: "", sla: definition.sla, worker: "test",
                clock: clock, random: random, logger: logger, catalogue: catalogue,
                resources: resources))
        let run = PipelineRun(
            graph, role: .all,
            environment: RunEnvironment(
                clock: clock, random: random, logger: logger, worker: "test",
                grace: .hours(1)))
        let bus = resources["bus"] as! any Bus
        try await bus.ensureTopic("report-requests", partitions: 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            group.addTask { try await feed(bus) }
            group.addTask {
                try await answered.wait()
                run.stop()
            }
            try await group.waitForAll()
        }
        for resource in byAddress.values { await resource.close() }
        return recorder.current.batches.sorted {
            ($0.sealedAt, $0.number) < ($1.sealedAt, $1.number)
        }
    }

    /// Sends every message when its time has come; what is due together goes together.
    private func feed(_ bus: any Bus) async throws {
        let producer = try await bus.producer()
        var next = 0
        while next < trace.arrivals.count {
            try await clock.sleep(
                until: Instant(nanoseconds: 0).advanced(by: trace.arrivals[next].at))
            let now = Instant(nanoseconds: 0).duration(to: clock.now)
            var due: [OutgoingRecord] = []
            while next < trace.arrivals.count, trace.arrivals[next].at <= now {
                due.append(trace.arrivals[next].message)
                next += 1
            }
            _ = try await producer.send(due, to: "report-requests")
        }
        await producer.close()
    }
}

private struct RecordingGenerator: Generator {
    let inner: SimulatedGenerator
    let noted: @Sendable () -> Void

    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let generated = try await inner.generate(batch)
        noted()
        return generated
    }
}

/// The system's clock, running faster: real threads, real stores, and a day within minutes.
struct FakeScaledTime: TimeSource {
    let factor: Double
    let epoch: Timestamp
    private let system = PipelineClock.system
    private let origin: Instant

    init(factor: Double, epoch: Timestamp) {
        self.factor = factor
        self.epoch = epoch
        origin = system.now
    }

    var elapsed: Duration { origin.duration(to: system.now) * factor }
    var now: Instant { Instant(nanoseconds: 0).advanced(by: elapsed) }
    var timestamp: Timestamp { epoch.advanced(by: elapsed) }

    func sleep(until deadline: Instant) async throws {
        let rest = now.duration(to: deadline)
        if rest > .zero { try await system.sleep(for: rest / factor) }
    }
}

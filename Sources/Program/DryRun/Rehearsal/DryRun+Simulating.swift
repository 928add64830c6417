internal import ConfigurationFields
public import DryRunReport
public import PipelineConfiguration
public import PipelineCore

/// What a dry run is to simulate.
public struct SimulationOptions: Sendable {
    /// Arrival patterns that are added up.
    public var arrivals: [ArrivalPattern]
    /// A recorded trace in place of patterns.
    public var input: DryRun.Source?
    public var generation: GenerationCostModel
    /// How many processes share the work.
    public var workers: Int
    /// When a made-up trace starts in civil time.
    public var start: Timestamp
    public var seed: UInt64
    /// The share of messages that are repeats, from 0 to 1.
    public var repeats: Double
    /// The share of messages that can't be read, from 0 to 1.
    public var malformed: Double
    /// Hears now and then which share of a simulation is done, in 0 ... 1.
    public var progress: @Sendable (Double) -> Void = { _ in }

    public init(
        arrivals: [ArrivalPattern], input: DryRun.Source? = nil, generation: GenerationCostModel,
        workers: Int = 1, start: Timestamp, seed: UInt64 = 1, repeats: Double = 0,
        malformed: Double = 0
    ) {
        self.arrivals = arrivals
        self.input = input
        self.generation = generation
        self.workers = workers
        self.start = start
        self.seed = seed
        self.repeats = repeats
        self.malformed = malformed
    }
}

/// Why nothing was simulated, in a sentence without a full stop.
public struct SimulationSkipped: Error, Sendable {
    public var reason: String
    public init(_ reason: String) { self.reason = reason }
}

extension DryRun {
    /// Runs the pipeline over the trace that the options describe.
    ///
    /// - Throws: ``SimulationSkipped``; `Diagnostics` for a recorded trace that can't be read.
    @Sendable public static func simulate(
        _ definition: PipelineDefinition, _ options: SimulationOptions, _ catalogue: Catalogue
    ) throws -> SimulationReport {
        var rehearsal = PipelineRehearsal(
            definition, catalogue: catalogue,
            trace: try trace(for: definition, options, catalogue), cost: options.generation)
        rehearsal.workers = options.workers
        rehearsal.seed = options.seed
        return try rehearsal.run(progress: options.progress)
    }

    private static func trace(
        for definition: PipelineDefinition, _ options: SimulationOptions, _ catalogue: Catalogue
    ) throws -> ArrivalTrace {
        if let input = options.input {
            return try RecordedArrivals.read(try input.bytes(), file: input.file)
        }
        let codec =
            definition.stages.lazy.compactMap { ($0.settings as? any DecodingStage)?.codec }.first
            ?? "raw"
        guard let sample = catalogue.codec(codec)?.sample else {
            throw SimulationSkipped(
                "messages of the codec \"\(codec)\" can't be made up: give a trace with --input FILE"
            )
        }
        var mix = ArrivalMix(patterns: options.arrivals)
        mix.repeats = options.repeats
        mix.malformed = options.malformed
        mix.seed = options.seed
        return ArrivalTrace(mix, startingAt: options.start, sample: sample)
    }
}

extension SimulationReport {
    /// The checklist's entry: failed when an answer was late, or never came.
    func check(subject: String) -> DryRunCheck {
        let ran = "\(cases.count) cases in \(traceLength.text), \(batches.count) batches"
        let verdict = verdict
        if verdict.isGood {
            let longest = waits.last.map { "\(ran): the longest wait was \($0.inSeconds.text)" }
            return DryRunCheck(.simulate, subject, .ok, longest ?? verdict.sentence)
        }
        if waits.isEmpty {
            return DryRunCheck(.simulate, subject, .fail, "\(ran): none was answered")
        }
        return DryRunCheck(
            .simulate, subject, .fail,
            "\(ran): \(late) answers came after their deadline, \(afterSLA) after the SLA of \(sla.text), "
                + "\(unanswered) never",
            hint: "a smaller max_age, more workers, or a longer sla")
    }
}

extension Duration {
    /// Fractions of a second are below what the assumptions bear.
    fileprivate var inSeconds: Duration { .seconds(components.seconds) }
}

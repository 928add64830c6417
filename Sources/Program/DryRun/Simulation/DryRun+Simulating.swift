public import PipelineConfiguration
public import PipelineCore
internal import Specification

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

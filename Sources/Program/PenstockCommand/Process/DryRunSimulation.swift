internal import DryRun
internal import PipelineConfiguration
internal import PipelineCore

/// The simulation of a dry run.
enum DryRunSimulation {
    /// - Throws: ``DryRun/SimulationSkipped`` without a trace.
    static func run(
        _ definition: PipelineDefinition, _ options: SimulationOptions, _ catalogue: Catalogue
    ) async throws -> SimulationReport {
        if options.arrivals.isEmpty && options.input == nil {
            throw SimulationSkipped(
                "no trace was given: --arrivals \"poisson 200/h for 24h\", or --input FILE")
        }
        throw SimulationSkipped("this program does not simulate yet")
    }
}

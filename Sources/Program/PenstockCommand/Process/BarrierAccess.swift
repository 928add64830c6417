internal import CommandLineInterface
internal import ConfigurationFields
internal import LocatedJSON
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import StandardCatalogue

/// A pipeline's barrier, opened beside whoever runs it.
struct BarrierAccess {
    let barrier: Barrier
    let resources: OpenResources
    /// Those of the pipeline, by their names in its file.
    let opened: [ResourceName: any Resource]

    /// Opens the barrier of a stage that a `run` has kept in its ledger; makes nothing where there
    /// is none.
    ///
    /// - Throws: ``CommandFailure`` when the pipeline has no such barrier, or its ledger does not
    ///   know the stage.
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
        let opened = try resources.open(definition)
        try await look(for: stage, of: definition, in: opened)
        var context = StageContext(
            pipeline: definition.name, stage: id, sla: definition.sla,
            worker: ProcessEnvironment.worker, clock: clock, random: random, logger: logger,
            catalogue: catalogue, resources: opened)
        context.owners = definition.stateOwners
        guard case .barrier(let barrier) = try stage.settings.build(context) else {
            throw CommandFailure(
                .usage,
                "stage \"\(id)\" keeps its batches in memory; they can't be flushed from outside")
        }
        return BarrierAccess(barrier: barrier, resources: resources, opened: opened)
    }

    /// Whoever runs the pipeline may have another environment, and so another store.
    private static func look(
        for stage: StageDefinition, of definition: PipelineDefinition,
        in opened: [ResourceName: any Resource]
    ) async throws {
        for use in stage.contract.uses {
            let name = use.resource
            guard var need = use.ledger(pipeline: definition.name, stage: stage.id),
                let store = opened[name]
            else { continue }
            var missing: String?
            if (store as? any StandardStore)?.isThere == false {
                missing = "the file is not there"
            } else {
                need.mustExist = true
                let found: [ResourceFinding]
                do {
                    found = try await store.inspect(for: [.ledger(need)], timeout: .seconds(10))
                } catch let error as PipelineError {
                    throw CommandFailure(error.exitCode, error.description)
                }
                // A running process holds its lock; that is no fault here.
                missing = found.first { $0.verdict == .wrong && $0.subject.hasPrefix("ledger") }
                    .map(\.detail)
            }
            if let missing {
                throw CommandFailure(
                    .unavailable,
                    "the ledger of \(stage.id) is not in \(definition.shownAddress(of: name)): "
                        + "\(missing). " + definition.advice(on: name))
            }
        }
    }
}

extension PipelineDefinition {
    fileprivate func shownAddress(of name: ResourceName) -> String {
        resource(name).map { "\($0.address)" } ?? JSON.quoted(name.text)
    }

    /// What to set so that the address is the one that the running pipeline has.
    func advice(on name: ResourceName) -> String {
        let path = "$.resources.\(name.text).url"
        let reference = references.first { "\($0.path)" == path }
        switch reference?.place {
        case .environment(let variable)?:
            let isSet = !(ProcessEnvironment.variables[variable] ?? "").isEmpty
            return isSet
                ? "\(variable) is set here: is it what `run` was started with?"
                : "\(variable) is not set here: set it as `run` was started with it"
        case .file(let path)?: return "The address stands in \(path): does `run` read the same?"
        case nil: return "Was `run` started with this file, and in this directory?"
        }
    }
}

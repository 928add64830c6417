internal import PipelineConfiguration
internal import PipelineCore

/// Pipelines of a process, and whose state they have.
struct OwnedPipelines: Sendable {
    /// How long a bus may take to say which log a topic is, and a store who has stored it.
    private static let questionTime = Duration.seconds(2)

    var definitions: [PipelineDefinition]
    /// The owners, once they are known, and nothing that they would store twice was found. So it is
    /// before the pipelines of a reload begin: nothing is asked while callers wait.
    var known: [StateOwner]?

    init(_ definitions: [PipelineDefinition], owners: [StateOwner]? = nil) {
        self.definitions = definitions
        known = owners
    }

    /// As far as their buses tell which logs they read.
    func owners(in opened: [[ResourceName: any Resource]]) async -> [StateOwner] {
        if let known { return known }
        return await withTaskGroup(of: (Int, [StateOwner]).self) { group in
            for (index, (definition, opened)) in zip(definitions, opened).enumerated() {
                group.addTask {
                    (index, await definition.stateOwners(in: opened, within: Self.questionTime))
                }
            }
            var found = definitions.map(\.stateOwners)
            for await (index, owners) in group { found[index] = owners }
            return found.flatMap(\.self)
        }
    }

    /// What would be stored twice is refused before the pipelines that run give way for good.
    ///
    /// - Throws: ``PipelineError`` `state-unowned`, fatal.
    func refuseRepeats(
        among owners: [StateOwner], in opened: [[ResourceName: any Resource]]
    ) async throws {
        if known != nil { return }
        for (definition, opened) in zip(definitions, opened) {
            let found = await definition.repeatedStoring(
                among: owners, in: opened, within: Self.questionTime)
            if let (_, objection) = found.first {
                throw PipelineError.fatal(
                    .stateUnowned, "\(objection.problem); \(objection.remedy)")
            }
        }
    }
}

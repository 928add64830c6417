internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import StandardCatalogue

/// What a process needs to be ready, of all that it uses.
struct ProcessNeeds: Sendable {
    /// What it is ready without: resources and pipelines, by their names.
    private var dispensable: Set<String> = []
    /// Whether what pipelines read beside their callers has to be read.
    private(set) var includesInputs = true

    /// Everything but caches.
    init() {}

    /// A process of the role `api` that serves callers is there for them: it needs what a call goes
    /// through up to its answer, and not the buses that it reads beside them, nor those where
    /// outcomes are announced, nor pipelines without callers. Any other needs all that it uses.
    init(
        of definitions: [PipelineDefinition], role: RunOptions.Role, resources: OpenResources,
        catalogue: Catalogue
    ) {
        let serving = definitions.filter { !$0.callerInputs.isEmpty }
        guard role == .api, !serving.isEmpty else { return }
        includesInputs = false
        let needed = Set(
            serving.flatMap { definition in
                definition.needsOfCallers(catalogue).map { resources.name(of: $0) }
            })
        dispensable = Set(resources.named.map(\.name)).subtracting(needed)
        dispensable.formUnion(Set(definitions.map(\.name)).subtracting(serving.map(\.name)))
    }

    func includes(_ resource: String) -> Bool { !dispensable.contains(resource) }
    func includes(_ run: PipelineRun) -> Bool { includes(run.name) }
}

extension PipelineDefinition {
    /// The resources by which callers come in.
    fileprivate var callerInputs: [ResourceDefinition] {
        resources.filter { $0.kinds.contains(.api) }
    }

    /// What a call goes through: the stages up to the one that accepts it, or all.
    fileprivate func needsOfCallers(_ catalogue: Catalogue) -> [ResourceAddress] {
        func role(of stage: StageDefinition) -> StageRole { type(of: stage.settings).role }
        let last = stages.firstIndex { role(of: $0) == .barrier } ?? stages.endIndex - 1
        let used = stages[...last].filter { role(of: $0) != .source }
            .flatMap { $0.settings.contract(in: catalogue).uses.map(\.resource) }
        return callerInputs.map(\.address) + used.compactMap { resource($0)?.address }
    }
}

public import ConfigurationFields
public import LocatedJSON
public import PipelineCore

/// A pipeline as its file describes it, checked: everything `run` needs and `validate` has seen.
public struct PipelineDefinition: Sendable {
    /// The file, as the operator named it.
    public var file: String
    /// The pipeline's name, which its consumer groups and its ledger carry.
    public var name: String
    /// The version of the file's format.
    public var version: Int
    /// How long a case may wait for its answer.
    public var sla: Duration
    /// Where the name stands in the file.
    public var position: Position?
    /// The connections that stages refer to, in the file's order.
    public var resources: [ResourceDefinition]
    /// The chain, from the source to the last sink.
    public var stages: [StageDefinition]
    /// Every setting with its value and where that came from, for whoever shows them.
    public var settings: [DecodedSetting]
    /// The variables and files that the text refers to, in its order.
    public var references: [SubstitutionReference]

    /// The stage with that id.
    public func stage(_ id: String) -> StageDefinition? { stages.first { $0.id == id } }
    /// The resource with that name.
    public func resource(_ name: ResourceName) -> ResourceDefinition? {
        resources.first { $0.name == name }
    }
}

/// An entry of `resources`.
public struct ResourceDefinition: Sendable {
    /// What stages call it.
    public var name: ResourceName
    /// Where it is, with the properties its connector gets.
    public var address: ResourceAddress
    /// What it can be used as.
    public var kinds: [ResourceKind]
    /// Which files of this machine it is, if any.
    public var place: ResourcePlace?
    /// Where its name stands in the file.
    public var position: Position?

    /// What its connector tells it from others by.
    var written: String
    /// Equal for two resources that are one: two addresses may lead to one file, or to one server.
    var identity: String { place?.owns ?? place?.reads ?? written }
}

/// An entry of `stages`.
public struct StageDefinition: Sendable {
    /// The stage's id, which owns its state.
    public var id: String
    /// The decoded settings, which build the stage.
    public var settings: any StagePlugin
    /// What it needs and yields.
    public var contract: StageContract
    /// Which entry of `stages` it is.
    public var index: Int
    /// Where the entry stands in the file.
    public var position: Position?

    /// The name in `"type"`.
    public var type: String { Swift.type(of: settings).type }
    /// What it does in the chain.
    public var role: StageRole { Swift.type(of: settings).role }
}

extension PipelineDefinition {
    /// The stages that keep state in a store under their names (ledgers, and positions with what is
    /// stored), with what else of the chain is known there by name.
    public var stateOwners: [StateOwner] { stateOwners(logs: [:]) }

    /// As ``stateOwners``, which also know which logs the topics are that feed them: of those buses
    /// that say so.
    ///
    /// - Parameters:
    ///   - opened: resources by their names.
    ///   - limit: how long a bus may take to answer.
    public func stateOwners(
        in opened: [ResourceName: any Resource], within limit: Duration
    ) async -> [StateOwner] {
        guard stages.contains(where: keepsState) else { return stateOwners }
        var logs: [ResourceUse: String] = [:]
        await withTaskGroup(of: (ResourceUse, String?).self) { group in
            for use in stages.filter({ $0.role == .source }).flatMap(\.contract.uses) {
                let resource = opened[use.resource]
                if let lines = resource as? any LineInput { logs[use] = lines.name }
                guard let topic = use.topic, let bus = resource as? any LogInspection else {
                    continue
                }
                group.addTask {
                    (use, try? await bus.logName(of: topic.name, timeout: limit)?.key)
                }
            }
            for await (use, log) in group { logs[use] = log ?? logs[use] }
        }
        return stateOwners(logs: logs)
    }

    /// What the pipeline would store a second time, by the resources that would take it: where that
    /// can be told beforehand. The store itself refuses it in any case.
    ///
    /// - Parameters:
    ///   - owners: of all files at hand, as ``stateOwners(in:within:)`` says.
    ///   - opened: resources by their names.
    ///   - limit: how long a store may take to answer.
    public func repeatedStoring(
        among owners: [StateOwner], in opened: [ResourceName: any Resource],
        within limit: Duration
    ) async -> [(store: ResourceName, objection: StateOwnership.Objection)] {
        var found: [(ResourceName, StateOwnership.Objection)] = []
        for stage in stages {
            guard let own = owners.first(where: { $0.pipeline == name && $0.stage == stage.id })
            else { continue }
            for use in stage.contract.uses {
                guard case .writes = use.purpose,
                    let store = opened[use.resource] as? any PositionInspection
                else { continue }
                for log in own.inputs.sorted().map({ LogName($0) }) {
                    let storers = try? await store.storers(of: log, timeout: limit)
                    let objection = StateOwnership.objection(
                        toStoring: log, as: StateName(pipeline: name, part: stage.id),
                        atHand: owners, storedBy: storers ?? [])
                    if let objection { found.append((use.resource, objection)) }
                }
            }
        }
        return found
    }

    private func stateOwners(logs: [ResourceUse: String]) -> [StateOwner] {
        stages.filter(keepsState).map { keeper in
            var owner = StateOwner(pipeline: name, stage: keeper.id)
            for stage in stages {
                if stage.role == .sink, stage.index > keeper.index { owner.sinks.insert(stage.id) }
                if stage.role == .source {
                    owner.intakes.insert(stage.id)
                    add(stage, to: &owner, logs)
                }
            }
            return owner
        }
    }

    /// What the stage with that id keeps in stores under its name, or any of them; empty where it
    /// keeps nothing.
    public func kindsOfState(under id: String?) -> Set<StateKind> {
        let barrier = stages.first { $0.role == .barrier && keepsState($0) }
        var kinds: Set<StateKind> = []
        for stage in stages where id == nil || stage.id == id {
            switch stage.role {
            case .source: kinds.insert(.intake)
            case .barrier: if keepsState(stage) { kinds.insert(.cases) }
            case .sink:
                if let barrier, barrier.index < stage.index {
                    kinds.insert(.deliveries)
                } else if keepsState(stage) {
                    kinds.insert(.events)
                }
            case .transform, .worker: break
            }
        }
        return kinds
    }

    private func keepsState(_ stage: StageDefinition) -> Bool {
        stage.contract.uses.contains { use in
            switch use.purpose {
            case .keepsLedger: true
            case .writes: resource(use.resource)?.kinds.contains(.store) ?? false
            case .topic, .reads, .answersFrom, .caches: false
            }
        }
    }

    private func add(
        _ source: StageDefinition, to owner: inout StateOwner, _ logs: [ResourceUse: String]
    ) {
        for use in source.contract.uses {
            if let topic = use.topic { owner.inputs.insert(logs[use] ?? topic.name) }
            guard use.purpose == .reads, let resource = resource(use.resource) else { continue }
            if resource.kinds.contains(.api) { owner.servesCallers = true }
            if resource.kinds.contains(.lines) {
                owner.inputs.insert(logs[use] ?? resource.address.rest)
            }
        }
    }
}

public import PipelineCore

extension PipelineDefinition {
    /// The stages that keep state in a store under their names (ledgers, and positions with what is
    /// stored), with what else of the chain is known there by name.
    public var stateOwners: [StateOwner] {
        stages.filter(keepsState).map { keeper in
            var owner = StateOwner(pipeline: name, stage: keeper.id)
            for stage in stages {
                if stage.role == .sink, stage.index > keeper.index { owner.sinks.insert(stage.id) }
                if stage.role == .source { add(stage, to: &owner) }
            }
            return owner
        }
    }

    private func keepsState(_ stage: StageDefinition) -> Bool {
        stage.contract.needs(name, stage.id).contains { need in
            switch need.need {
            case .ledger: true
            case .writing: resource(need.resource)?.kinds.contains(.store) ?? false
            case .topic, .generation, .reading: false
            }
        }
    }

    private func add(_ source: StageDefinition, to owner: inout StateOwner) {
        for topic in source.contract.topics where topic.direction == .reads {
            owner.inputs.insert(topic.topic)
        }
        for use in source.contract.resources {
            guard let resource = resource(use.name) else { continue }
            if use.kinds.contains(.api), resource.kinds.contains(.api) {
                owner.servesCallers = true
            }
            if use.kinds.contains(.lines), resource.kinds.contains(.lines) {
                owner.inputs.insert(resource.address.rest)
            }
        }
    }
}

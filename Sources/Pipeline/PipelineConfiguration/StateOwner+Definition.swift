public import PipelineCore

extension PipelineDefinition {
    /// The stages that keep state in a ledger, with what else of the chain is known there by name.
    public var stateOwners: [StateOwner] {
        stages.filter(keepsLedger).map { barrier in
            var owner = StateOwner(pipeline: name, stage: barrier.id)
            for stage in stages {
                if stage.role == .sink, stage.index > barrier.index { owner.sinks.insert(stage.id) }
                if stage.role == .source { add(stage, to: &owner) }
            }
            return owner
        }
    }

    private func keepsLedger(_ stage: StageDefinition) -> Bool {
        stage.contract.needs(name, stage.id).contains {
            if case .ledger = $0.need { true } else { false }
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

internal import PipelineConfiguration
internal import PipelineCore

/// Where simulated messages come in: one input of the pipeline's `ingest`.
enum ArrivalInput {
    case topic(ResourceName, String)
    case api(ResourceName)
    case lines(ResourceName)

    /// A topic if there is one, else the API, else lines; `nil` if nothing can be read.
    init?(of definition: PipelineDefinition) {
        guard let source = definition.stages.first(where: { $0.role == .source }) else {
            return nil
        }
        for use in source.contract.uses {
            guard let topic = use.topic else { continue }
            self = .topic(use.resource, topic.name)
            return
        }
        let names = source.contract.uses.map(\.resource)
        func first(_ kind: ResourceKind) -> ResourceName? {
            names.first { definition.resource($0)?.kinds.contains(kind) == true }
        }
        if let name = first(.api) {
            self = .api(name)
        } else if let name = first(.lines) {
            self = .lines(name)
        } else {
            return nil
        }
    }

    var description: String {
        switch self {
        case .topic(_, let topic): "messages come in by the topic \(topic)"
        case .api(let name): "messages come in by calls of \"\(name.text)\""
        case .lines(let name): "messages come in by lines of \"\(name.text)\""
        }
    }
}

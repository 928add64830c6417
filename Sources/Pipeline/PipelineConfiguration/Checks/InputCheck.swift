internal import PipelineCore
internal import Specification

/// A source reads each input once, and a resource gets the records it takes.
struct InputCheck {
    let resources: [ResourceReading]
    let edges: [StageEdge]
    let stages: [StageReading]
    let context: DecodingContext

    func run() {
        for stage in stages where stage.role == .source { refuseRepeats(stage) }
        for edge in edges {
            for use in edge.stage.definition?.contract.resources ?? [] { check(use, of: edge) }
        }
    }

    /// Where records come from: a bus with a topic, or the resource as a whole.
    private struct Input: Hashable {
        var resource: String
        var topic: String?
    }

    private func refuseRepeats(_ stage: StageReading) {
        guard let contract = stage.definition?.contract else { return }
        let topics = contract.topics.filter { $0.direction == .reads }
        let inputs =
            topics.map { ($0.field, $0.resource, $0.topic as String?) }
            + contract.resources.filter { use in
                !topics.contains { $0.resource == use.name }
            }.map { ($0.field, $0.name, nil) }
        var first: [Input: String] = [:]
        for (field, name, topic) in inputs {
            guard let resource = definition(name)?.identity else { continue }
            let input = Input(resource: resource, topic: topic)
            guard let earlier = first.updateValue(field, forKey: input) else { continue }
            let what = topic.map { "the topic \(JSON.quoted($0))" } ?? JSON.quoted(name.text)
            stage.report(
                .repeatedInput, "\(what) is an input already", hint: "\(earlier) reads it",
                field: field, in: context)
        }
    }

    private func check(_ use: StageContract.ResourceUse, of edge: StageEdge) {
        guard let kinds = definition(use.name)?.kinds,
            let kind = use.kinds.first(where: kinds.contains), let taken = use.takes[kind],
            let input = edge.input, input != taken
        else { return }
        edge.stage.report(
            .edgeMismatch,
            "\(OrderCheck.shown(edge.stage)) has \(input) for the \(kind.rawValue) "
                + "\(JSON.quoted(use.name.text)), which takes \(taken)", hint: use.hint,
            field: use.field, in: context)
    }

    private func definition(_ name: ResourceName) -> ResourceDefinition? {
        resources.first { $0.name == name }?.definition
    }
}

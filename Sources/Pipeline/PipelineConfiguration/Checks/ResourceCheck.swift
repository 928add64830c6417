internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import LocatedJSON
internal import PipelineCore

/// Every resource a stage names is declared and of the right kind, and every declared one is named.
struct ResourceCheck {
    let resources: [ResourceReading]
    let stages: [StageReading]
    let context: DecodingContext

    func run() {
        for stage in stages {
            for use in stage.definition?.contract.uses ?? [] { check(use, of: stage) }
        }
        // What a stage with wrong settings would have named is not known.
        guard stages.allSatisfy({ $0.definition != nil }), !stages.isEmpty else { return }
        let used = Set(stages.flatMap { $0.definition?.contract.uses ?? [] }.map(\.resource))
        for resource in resources where !used.contains(resource.name) {
            context.at("resources").at(resource.name.text).report(
                .unusedResource, "no stage uses the resource \(JSON.quoted(resource.name.text))",
                severity: .warning, at: resource.position)
        }
    }

    private func check(_ use: ResourceUse, of stage: StageReading) {
        guard let resource = resources.first(where: { $0.name == use.resource }) else {
            let hint =
                resources.isEmpty
                ? "declare it under \"resources\""
                : Suggestion.hint(for: use.resource.text, among: resources.map(\.name.text))
            return stage.report(
                .unknownResource, "there is no resource \(JSON.quoted(use.resource.text))",
                hint: hint,
                field: use.field, in: context)
        }
        guard let definition = resource.definition else { return }
        guard !use.kinds.contains(where: definition.kinds.contains) else { return }
        let fitting = resources.filter { other in
            use.kinds.contains { other.definition?.kinds.contains($0) ?? false }
        }
        let names = fitting.map { JSON.quoted($0.name.text) }.joined(separator: ", ")
        stage.report(
            .wrongResource,
            "the resource \(JSON.quoted(use.resource.text)) (\(definition.address.scheme)) can be used "
                + "as \(Self.list(definition.kinds)), not as \(Self.list(use.kinds))",
            hint: Self.hint(names, use), field: use.field, in: context)
    }

    private static func hint(_ names: String, _ use: ResourceUse) -> String? {
        let fitting = names.isEmpty ? nil : "these can: \(names)"
        let parts = [use.hint, fitting].compactMap(\.self)
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    private static func list(_ kinds: [ResourceKind]) -> String {
        kinds.map(\.rawValue).joined(separator: " or ")
    }
}

/// A source reads each input once, and a resource gets the records it takes.
struct InputCheck {
    let resources: [ResourceReading]
    let edges: [StageEdge]
    let stages: [StageReading]
    let context: DecodingContext

    func run() {
        for stage in stages where stage.role == .source { refuseRepeats(stage) }
        for edge in edges {
            for use in edge.stage.definition?.contract.uses ?? [] { check(use, of: edge) }
        }
    }

    /// Where records come from: a bus with a topic, or the resource as a whole.
    private struct Input: Hashable {
        var resource: String
        var topic: String?
    }

    private func refuseRepeats(_ stage: StageReading) {
        var first: [Input: String] = [:]
        for use in stage.definition?.contract.uses ?? [] {
            guard let resource = definition(use.resource)?.identity else { continue }
            let field = use.topic?.field ?? use.field
            let input = Input(resource: resource, topic: use.topic?.name)
            guard let earlier = first.updateValue(field, forKey: input) else { continue }
            let what =
                use.topic.map { "the topic \(JSON.quoted($0.name))" }
                ?? JSON.quoted(use.resource.text)
            stage.report(
                .repeatedInput, "\(what) is an input already", hint: "\(earlier) reads it",
                field: field, in: context)
        }
    }

    private func check(_ use: ResourceUse, of edge: StageEdge) {
        guard let kinds = definition(use.resource)?.kinds,
            let kind = use.kinds.first(where: kinds.contains), let taken = use.rows(of: kind),
            let input = edge.input, input != taken
        else { return }
        edge.stage.report(
            .edgeMismatch,
            "\(OrderCheck.shown(edge.stage)) has \(input) for the \(kind.rawValue) "
                + "\(JSON.quoted(use.resource.text)), which takes \(taken)", hint: use.hint,
            field: use.field, in: context)
    }

    private func definition(_ name: ResourceName) -> ResourceDefinition? {
        resources.first { $0.name == name }?.definition
    }
}

/// No pipeline writes to a topic that it reads: every record would come round for ever.
struct TopicCheck {
    let resources: [ResourceReading]
    let stages: [StageReading]
    let context: DecodingContext

    private struct Use {
        var stage: StageReading
        var resource: ResourceName
        var topic: TopicUse
    }

    func run() {
        let uses = stages.flatMap { stage in
            (stage.definition?.contract.uses ?? []).compactMap { use in
                use.topic.map { Use(stage: stage, resource: use.resource, topic: $0) }
            }
        }
        let reads = uses.filter { $0.topic.direction == .reads }
        for write in uses where write.topic.direction == .writes {
            guard let read = reads.first(where: { isSame($0, write) }) else { continue }
            write.stage.report(
                .topicLoop,
                "\(OrderCheck.shown(write.stage)) writes to the topic "
                    + "\(JSON.quoted(write.topic.name)), which \(OrderCheck.shown(read.stage)) "
                    + "reads", hint: "every record would come round for ever; use another topic",
                field: write.topic.field, in: context)
        }
    }

    /// Two names may lead to one bus.
    private func isSame(_ left: Use, _ right: Use) -> Bool {
        guard left.topic.name == right.topic.name else { return false }
        if left.resource == right.resource { return true }
        let buses = [left.resource, right.resource].map { name in
            resources.first { $0.name == name }?.definition?.identity
        }
        return buses[0] != nil && buses[0] == buses[1]
    }
}

/// Callers who enter by an API can be answered, and in one way only.
struct ReadsCheck {
    let resources: [ResourceReading]
    let edges: [StageEdge]
    let context: DecodingContext

    func run() {
        guard let source = edges.first(where: { $0.stage.role == .source }),
            let use = source.stage.definition?.contract.uses.first(where: isAPI)
        else { return }
        let keepsCases = edges.contains { $0.stage.role == .barrier && $0.output == .batches }
        if edges.count > 1, !keepsCases, edges.last?.stage.role == .sink {
            source.stage.report(
                .ambiguousReads,
                "callers' reads have no answer: no barrier of the chain keeps cases",
                hint: "calls are accepted, and asking for their outcome finds nothing",
                field: use.field, severity: .warning, in: context)
        }
        let caches = edges.filter { edge in
            edge.stage.role == .sink && edge.input == .outcomes
                && edge.stage.definition?.contract.uses.contains { $0.purpose == .caches }
                    ?? false
        }
        for cache in caches.dropFirst() {
            cache.stage.report(
                .ambiguousReads,
                "callers' reads use the layout of \(OrderCheck.shown(caches[0].stage)), the first "
                    + "cache, and never this one", field: "type", severity: .warning, in: context)
        }
    }

    private func isAPI(_ use: ResourceUse) -> Bool {
        guard use.kinds.contains(.api) else { return false }
        let resource = resources.first { $0.name == use.resource }
        return resource?.definition?.kinds.contains(.api) ?? false
    }
}

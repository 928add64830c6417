public import ConfigurationDiagnostics
internal import LocatedJSON
internal import PipelineCore

/// What is wrong with pipelines that run together although each of them is right.
public struct PipelineSetCheck {
    let pipelines: [PipelineDefinition]

    /// A check of these pipelines.
    public init(_ pipelines: [PipelineDefinition]) { self.pipelines = pipelines }

    /// Names and APIs that are taken twice, files that are used for two things, and topics that lead from a pipeline back
    /// to itself.
    public func run() -> Diagnostics {
        Diagnostics(repeatedNames() + sharedAPIs() + sharedFiles() + cycles())
    }

    private func sharedFiles() -> [Diagnostic] {
        let uses = pipelines.map { FileCheck.uses(of: $0.stages, $0.resources) }
        var problems: [Diagnostic] = []
        for (index, later) in pipelines.enumerated() {
            for earlier in 0..<index {
                let file = pipelines[earlier].file
                for conflict in FileCheck.conflicts(of: uses[index], with: uses[earlier], in: file)
                {
                    problems.append(
                        Diagnostic(
                            conflict.code, conflict.message, hint: conflict.hint,
                            severity: conflict.severity, file: later.file,
                            at: conflict.stage?.position,
                            path: conflict.stage.map {
                                .root.appending("stages").appending($0.index)
                            }))
                }
            }
        }
        return problems
    }

    /// A caller's request can go into one pipeline only.
    private func sharedAPIs() -> [Diagnostic] {
        var first: [String: PipelineDefinition] = [:]
        var problems: [Diagnostic] = []
        for pipeline in pipelines {
            for stage in pipeline.stages where stage.role == .source {
                for use in stage.contract.uses where use.kinds.contains(.api) {
                    guard let api = pipeline.resource(use.resource), api.kinds.contains(.api),
                        let earlier = first.updateValue(pipeline, forKey: api.identity)
                    else { continue }
                    problems.append(
                        Diagnostic(
                            .repeatedInput,
                            "the API \(api.address) is an input of \(earlier.file) already",
                            hint: "give each pipeline an address of its own", file: pipeline.file,
                            at: stage.position,
                            path: .root.appending("stages").appending(stage.index)))
                }
            }
        }
        return problems
    }

    private func repeatedNames() -> [Diagnostic] {
        var first: [String: PipelineDefinition] = [:]
        var problems: [Diagnostic] = []
        for pipeline in pipelines {
            guard let earlier = first[pipeline.name] else {
                first[pipeline.name] = pipeline
                continue
            }
            problems.append(
                Diagnostic(
                    .duplicateName,
                    "the name \(JSON.quoted(pipeline.name)) is taken by \(earlier.file)",
                    hint: "a pipeline's name owns its consumer groups and its ledger",
                    file: pipeline.file, at: pipeline.position,
                    path: .root.appending("name")))
        }
        return problems
    }

    /// A topic by the bus it is on.
    private struct Topic: Hashable {
        var bus: String
        var topic: String
    }

    private func topics(
        _ pipeline: PipelineDefinition, _ direction: TopicNeed.Direction
    ) -> [(topic: Topic, stage: StageDefinition)] {
        pipeline.stages.flatMap { stage in
            stage.contract.uses.compactMap { use in
                guard let topic = use.topic, topic.direction == direction else { return nil }
                return pipeline.resource(use.resource).map {
                    (Topic(bus: $0.identity, topic: topic.name), stage)
                }
            }
        }
    }

    private func cycles() -> [Diagnostic] {
        let reads = pipelines.map { Set(topics($0, .reads).map(\.topic)) }
        // A pipeline that feeds itself has been refused when it was read.
        func followers(_ index: Int, by topic: Topic) -> [Int] {
            pipelines.indices.filter { $0 != index && reads[$0].contains(topic) }
        }
        func leads(from start: Int, to end: Int) -> Bool {
            var seen: Set<Int> = [start]
            var open = [start]
            while let next = open.popLast() {
                if next == end { return true }
                for (topic, _) in topics(pipelines[next], .writes) {
                    for follower in followers(next, by: topic) where seen.insert(follower).inserted
                    {
                        open.append(follower)
                    }
                }
            }
            return false
        }
        return pipelines.indices.flatMap { index in
            topics(pipelines[index], .writes).compactMap { topic, stage in
                guard
                    let back = followers(index, by: topic).first(where: {
                        leads(from: $0, to: index)
                    })
                else { return nil }
                return Diagnostic(
                    .topicCycle,
                    "the topic \(JSON.quoted(topic.topic)) leads to the pipeline "
                        + "\(JSON.quoted(pipelines[back].name)), and from there back to this one",
                    hint: "every record would come round for ever, unless a stage drops it",
                    severity: .warning, file: pipelines[index].file, at: stage.position,
                    path: .root.appending("stages").appending(stage.index))
            }
        }
    }
}

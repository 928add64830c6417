internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import PipelineCore

/// What is wrong with a chain although each of its stages is right.
struct ChainCheck {
    /// Nil when the header is wrong.
    let sla: Duration?
    let resources: [ResourceReading]
    let stages: [StageReading]
    let context: DecodingContext

    func run() {
        ResourceCheck(resources: resources, stages: stages, context: context).run()
        OrderCheck(stages: stages, context: context).run()
        let edges = EdgeCheck(stages: stages, context: context).run()
        StoreCheck(edges: edges, context: context).run()
        TopicCheck(resources: resources, stages: stages, context: context).run()
        checkFiles()
        InputCheck(resources: resources, edges: edges, stages: stages, context: context).run()
        ReadsCheck(resources: resources, edges: edges, context: context).run()
        checkPromise()
        WaitCheck(sla: sla, stages: stages, context: context).run()
    }

    private func checkPromise() {
        guard let sla else { return }
        for stage in stages {
            for objection in stage.definition?.contract.promiseObjections(sla) ?? [] {
                stage.report(
                    objection.code, objection.message, hint: objection.hint,
                    field: objection.field, severity: objection.isWarning ? .warning : .error,
                    in: context)
            }
        }
    }

    private func checkFiles() {
        let uses = FileCheck.uses(
            of: stages.compactMap(\.definition), resources.compactMap(\.definition))
        for conflict in FileCheck.conflicts(within: uses) {
            guard let index = conflict.stage?.index else { continue }
            stages.first { $0.index == index }?.report(
                conflict.code, conflict.message, hint: conflict.hint, field: conflict.field,
                severity: conflict.severity, in: context)
        }
    }
}

extension StageReading {
    var role: StageRole? { plugin.map { $0.role } }

    func report(
        _ code: Diagnostic.Code, _ message: String, hint: String? = nil, field: String = "",
        severity: Diagnostic.Severity = .error, in root: DecodingContext
    ) {
        let (context, position) = root.at("stages").at(index).place(of: field, in: json)
        context.report(code, message, hint: hint, severity: severity, at: position)
    }
}

/// Stages stand where their roles allow: a source, transforms, one barrier, a worker, sinks.
struct OrderCheck {
    let stages: [StageReading]
    let context: DecodingContext

    func run() {
        checkSources()
        checkRepeats(of: .barrier, .secondBarrier, "a chain has one barrier")
        checkRepeats(of: .worker, .misplacedStage, "a chain has one generator")
        checkOrder()
        checkEnds()
    }

    private func checkSources() {
        guard let first = stages.first else { return }
        if let role = first.role, role != .source {
            first.report(
                .misplacedStage,
                "the chain begins with \(Self.shown(first)), which is a \(role.rawValue)",
                hint: "the first stage is a source, such as ingest", field: "type", in: context)
        }
        for stage in stages.dropFirst() where stage.role == .source {
            stage.report(
                .misplacedStage, "the source \(stage.shownName) does not stand first",
                hint: "a chain has one source, which may read several inputs", field: "type",
                in: context)
        }
    }

    private func checkRepeats(of role: StageRole, _ code: Diagnostic.Code, _ rule: String) {
        let some = stages.filter { $0.role == role }
        for stage in some.dropFirst() {
            stage.report(
                code, "\(Self.shown(stage)) follows \(Self.shown(some[0])): \(rule)",
                hint: "hand on through a topic to a second pipeline", field: "type", in: context)
        }
    }

    /// Behind a worker there are outcomes, which only sinks take.
    private func checkOrder() {
        guard let worker = stages.firstIndex(where: { $0.role == .worker }) else { return }
        for stage in stages[(worker + 1)...]
        where stage.role == .transform || stage.role == .barrier {
            stage.report(
                .misplacedStage,
                "\(Self.shown(stage)) stands behind \(Self.shown(stages[worker])), which hands on "
                    + "outcomes", hint: "move it in front", field: "type", in: context)
        }
    }

    private func checkEnds() {
        // A stage of an unknown type may be what is missed.
        guard stages.allSatisfy({ $0.role != nil }), let last = stages.last else { return }
        if let worker = stages.first(where: { $0.role == .worker }),
            !stages.contains(where: { $0.role == .barrier })
        {
            worker.report(
                .noBarrier, "no barrier collects requests for \(Self.shown(worker))",
                hint: "put an accumulate in front of it", field: "type", in: context)
        }
        if !stages.contains(where: { $0.role == .worker || $0.role == .sink }) {
            last.report(
                .noSink, "the chain ends with \(Self.shown(last)): what it reads goes nowhere",
                hint: "end it with a sink, such as publish", in: context)
        }
    }

    static func shown(_ stage: StageReading) -> String {
        "\(stage.plugin.map { $0.type } ?? "stage") \(stage.shownName)"
    }
}

/// What goes into a stage and what comes out.
struct StageEdge {
    var stage: StageReading
    var input: RecordKind?
    var output: RecordKind
}

/// Every stage takes what the one before hands on.
struct EdgeCheck {
    let stages: [StageReading]
    let context: DecodingContext

    /// Reports the first edge that does not fit; what flows behind it is not known.
    ///
    /// - Returns: The edges that fit.
    func run() -> [StageEdge] {
        var edges: [StageEdge] = []
        for stage in stages {
            guard let definition = stage.definition else { return edges }
            let input = edges.last?.output
            // A source that does not stand first has been refused for that.
            if stage.role == .source, input != nil { return edges }
            switch definition.contract.edge(input) {
            case .yields(let output):
                edges.append(StageEdge(stage: stage, input: input, output: output))
            case .refuses(let wish):
                report(wish, stage, after: edges.last)
                return edges
            }
        }
        reportUnanswered(edges)
        return edges
    }

    private func report(_ wish: String, _ stage: StageReading, after edge: StageEdge?) {
        // A first stage that is no source has been refused for that.
        guard let edge else {
            if stage.role == .source {
                stage.report(.edgeMismatch, wish, field: "type", in: context)
            }
            return
        }
        stage.report(
            .edgeMismatch,
            "\(OrderCheck.shown(stage)) cannot follow \(OrderCheck.shown(edge.stage)), which hands "
                + "on \(edge.output)", hint: wish, field: "type", in: context)
    }

    private func reportUnanswered(_ edges: [StageEdge]) {
        guard edges.count == stages.count, edges.last?.output == .batches,
            let barrier = edges.first(where: { $0.output == .batches })
        else { return }
        barrier.stage.report(
            .noWorker, "nobody answers the batches of \(OrderCheck.shown(barrier.stage))",
            hint: "let a worker follow it, such as generate", field: "type", in: context)
    }
}

/// Sealed batches are kept in a store.
struct StoreCheck {
    let edges: [StageEdge]
    let context: DecodingContext

    func run() {
        for edge in edges where edge.stage.role == .barrier && edge.output == .batches {
            let contract = edge.stage.definition?.contract
            // The stage itself says more than this can.
            if contract?.objections.contains(where: { !$0.isWarning }) ?? false { continue }
            let uses = contract?.uses ?? []
            guard !uses.contains(where: { $0.kinds.contains(.store) }) else { continue }
            edge.stage.report(
                .missingStore, "\(OrderCheck.shown(edge.stage)) seals batches and names no store",
                hint: "name one, or set \"durability\": \"none\"", in: context)
        }
    }
}

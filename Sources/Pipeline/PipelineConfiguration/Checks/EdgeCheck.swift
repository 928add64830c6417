internal import PipelineCore
internal import Specification

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
            let uses = contract?.resources ?? []
            guard !uses.contains(where: { $0.kinds.contains(.store) }) else { continue }
            edge.stage.report(
                .missingStore, "\(OrderCheck.shown(edge.stage)) seals batches and names no store",
                hint: "name one, or set \"durability\": \"none\"", in: context)
        }
    }
}

internal import PipelineCore
internal import Specification

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

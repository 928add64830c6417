internal import PipelineCore
internal import Specification

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

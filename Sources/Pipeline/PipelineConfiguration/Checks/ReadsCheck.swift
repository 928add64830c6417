internal import PipelineCore
internal import Specification

/// Callers who enter by an API can be answered, and in one way only.
struct ReadsCheck {
    let resources: [ResourceReading]
    let edges: [StageEdge]
    let context: DecodingContext

    func run() {
        guard let source = edges.first(where: { $0.stage.role == .source }),
            let use = source.stage.definition?.contract.resources.first(where: isAPI)
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
                && edge.stage.definition?.contract.resources.contains { $0.kinds == [.cache] }
                    ?? false
        }
        for cache in caches.dropFirst() {
            cache.stage.report(
                .ambiguousReads,
                "callers' reads use the layout of \(OrderCheck.shown(caches[0].stage)), the first "
                    + "cache, and never this one", field: "type", severity: .warning, in: context)
        }
    }

    private func isAPI(_ use: StageContract.ResourceUse) -> Bool {
        guard use.kinds.contains(.api) else { return false }
        let resource = resources.first { $0.name == use.name }
        return resource?.definition?.kinds.contains(.api) ?? false
    }
}

internal import PipelineCore
internal import Specification

/// Every resource a stage names is declared and of the right kind, and every declared one is named.
struct ResourceCheck {
    let resources: [ResourceReading]
    let stages: [StageReading]
    let context: DecodingContext

    func run() {
        for stage in stages {
            for use in stage.definition?.contract.resources ?? [] { check(use, of: stage) }
        }
        // What a stage with wrong settings would have named is not known.
        guard stages.allSatisfy({ $0.definition != nil }), !stages.isEmpty else { return }
        let used = Set(
            stages.flatMap { $0.definition?.contract.resources ?? [] }.map(\.name))
        for resource in resources where !used.contains(resource.name) {
            context.at("resources").at(resource.name.text).report(
                .unusedResource, "no stage uses the resource \(JSON.quoted(resource.name.text))",
                severity: .warning, at: resource.position)
        }
    }

    private func check(_ use: StageContract.ResourceUse, of stage: StageReading) {
        guard let resource = resources.first(where: { $0.name == use.name }) else {
            let hint =
                resources.isEmpty
                ? "declare it under \"resources\""
                : Suggestion.hint(for: use.name.text, among: resources.map(\.name.text))
            return stage.report(
                .unknownResource, "there is no resource \(JSON.quoted(use.name.text))", hint: hint,
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
            "the resource \(JSON.quoted(use.name.text)) (\(definition.address.scheme)) can be used "
                + "as \(Self.list(definition.kinds)), not as \(Self.list(use.kinds))",
            hint: Self.hint(names, use), field: use.field, in: context)
    }

    private static func hint(_ names: String, _ use: StageContract.ResourceUse) -> String? {
        let fitting = names.isEmpty ? nil : "these can: \(names)"
        let parts = [use.hint, fitting].compactMap(\.self)
        return parts.isEmpty ? nil : parts.joined(separator: "; ")
    }

    private static func list(_ kinds: [ResourceKind]) -> String {
        kinds.map(\.rawValue).joined(separator: " or ")
    }
}

/// One of the rule sets that a page shows, with its name and its colour.
struct RuleSet {
    var report: SimulationReport
    var name: String
    /// `a` or `b`, as the style sheet colours it.
    var shade: String

    /// The name without what all have in common.
    var stem: String { name.hasSuffix(".json") ? String(name.dropLast(5)) : name }

    /// What a report's page shows: one rule set, or two on the same trace.
    static func all(of report: DryRunReport) -> [RuleSet] {
        guard let simulation = report.simulation else { return [] }
        guard let other = report.other else {
            return [RuleSet(report: simulation, name: simulation.file, shade: "a")]
        }
        let names = Comparison(simulation, other).names
        return [
            RuleSet(report: simulation, name: names.base, shade: "a"),
            RuleSet(report: other, name: names.other, shade: "b"),
        ]
    }

    /// Which colour is whose; nothing for a single one.
    static func legend(_ sets: [RuleSet]) -> Markup {
        guard sets.count > 1 else { return "" }
        return """
            <p class="legend">\(sets.map { set -> Markup in
                "<span><i class=\"\(set.shade)\"></i>\(set.name)</span> "
            })</p>

            """
    }
}

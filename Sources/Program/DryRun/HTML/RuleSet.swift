/// One of the rule sets that a page shows, with its name and its colour.
struct RuleSet {
    var report: SimulationReport
    var name: String
    /// From `a` on, as the style sheet colours it.
    var shade: String

    /// The name without what all have in common.
    var stem: String { name.hasSuffix(".json") ? String(name.dropLast(5)) : name }

    /// As many as have a colour.
    static let shades = ["a", "b", "c", "d", "e", "f"]

    /// What a report's page shows: one rule set, or several on the same trace.
    static func all(of report: DryRunReport) -> [RuleSet] {
        guard let simulation = report.simulation else { return [] }
        guard let comparisons = report.comparisons else {
            return [RuleSet(report: simulation, name: simulation.file, shade: shades[0])]
        }
        return zip(zip(comparisons.reports, comparisons.names), shades).map {
            RuleSet(report: $0.0, name: $0.1, shade: $1)
        }
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

internal import ConfigurationDiagnostics
internal import DryRunReport

/// What passed each stage, and what was refused for good.
struct StageTable {
    /// So many kinds of dead letters are listed.
    private static let kinds = 50

    let ruleSet: RuleSet
    /// Whether the page has no other rule set.
    let isAlone: Bool

    private var report: SimulationReport { ruleSet.report }

    var section: Markup {
        guard !report.stages.isEmpty else { return "" }
        let id = "stages-\(ruleSet.shade)"
        let title = isAlone ? "Stages" : "Stages of \(ruleSet.name)"
        return """
            <section aria-labelledby="\(id)">
            <h2 id="\(id)">\(title)</h2>
            <div class="scroll" tabindex="0" role="region" aria-labelledby="\(id)">
            <table>
            <thead><tr><th scope="col">Stage</th><th scope="col" class="n">Received</th>\
            <th scope="col" class="n">Passed</th><th scope="col">Remarks</th></tr></thead>
            <tbody>
            \(report.stages.map(row))</tbody>
            </table>
            </div>
            \(deadLetters)</section>

            """
    }

    private func row(_ stage: StageCount) -> Markup {
        """
        <tr><td>\(stage.id)<small>\(stage.type)</small></td><td class="n">\(stage.received.grouped)\
        </td><td class="n">\(stage.passed.grouped)</td><td>\(report.remark(on: stage))</td></tr>

        """
    }

    private var deadLetters: Markup {
        let letters = report.deadLetters
        if letters.isEmpty { return "" }
        let left = letters.count - Self.kinds
        let title = isAlone ? "Dead letters" : "Dead letters of \(ruleSet.name)"
        return """
            <h2>\(title)</h2>
            <ul class="plain">
            \(letters.prefix(Self.kinds).map(letter))</ul>
            \(Markup.when(left > 0, "<p class=\"muted\">\(left.grouped) more kinds.</p>\n"))
            """
    }

    private func letter(_ letter: DeadLetterCount) -> Markup {
        let example: Markup =
            letter.example.isEmpty
            ? "" : ", for example: <code>\(letter.example.shortened(to: 400))</code>"
        return
            "<li>\(letter.count.grouped) <b>\(letter.code)</b> at \(letter.stage)\(example)</li>\n"
    }
}

/// The checks of a dry run, and what was found wrong with the file.
struct Checklist {
    /// So many findings are listed.
    private static let findings = 200

    let report: DryRunReport

    var section: Markup {
        guard !report.checks.isEmpty || !report.diagnostics.list.isEmpty else { return "" }
        return """
            <section aria-labelledby="checks">
            <h2 id="checks">Checks</h2>
            <ul class="checks">
            \(report.checks.map(item))</ul>
            \(diagnostics)</section>

            """
    }

    private func item(_ check: DryRunCheck) -> Markup {
        let tone: Markup =
            switch check.status {
            case .ok: "ok"
            case .fail: "bad"
            case .skip: "skip"
            }
        let hint: Markup? = check.hint.map { "<small>\($0)</small>" }
        let subject: Markup = check.subject.isEmpty ? "" : "<b>\(check.subject)</b>: "
        return """
            <li><b class="\(tone)">\(check.status.rawValue)</b> \
            <span>\(check.step.rawValue)</span> \
            <span class="what">\(subject)\(check.detail)\(hint)</span></li>

            """
    }

    private var diagnostics: Markup {
        let list = report.diagnostics.list
        if list.isEmpty { return "" }
        let left = list.count - Self.findings
        return """
            <h2>Findings</h2>
            <ul class="plain">
            \(list.prefix(Self.findings).map { finding -> Markup in
                "<li><code>\(finding.description)</code></li>\n"
            })</ul>
            \(Markup.when(left > 0, "<p class=\"muted\">\(left.grouped) more not listed.</p>\n"))
            """
    }
}

/// All rule sets' figures side by side.
struct ComparisonTable {
    let comparisons: Comparisons

    var section: Markup {
        """
        <section aria-labelledby="comparison">
        <h2 id="comparison">Side by side</h2>
        <div class="scroll\(Markup.when(comparisons.names.count > 2, " many"))" tabindex="0" role="region" \
        aria-labelledby="comparison">
        <table>
        <thead><tr><th scope="col">Figure</th>\(comparisons.names.map { name -> Markup in
            "<th scope=\"col\" class=\"n name\">\(name)</th>"
        })</tr></thead>
        <tbody>
        \(comparisons.rows.map(row))</tbody>
        </table>
        </div>
        </section>

        """
    }

    private func row(_ row: Comparisons.Row) -> Markup {
        """
        <tr\(Markup.when(row.name.hasPrefix(" "), " class=\"inner\""))><th scope="row">\(row.name)</th>\
        <td class="n"\(label(0))>\(row.base)</td>\(row.others.enumerated().map { cell($1, label($0 + 1)) })</tr>

        """
    }

    /// Names the rule set of a cell, for a page too narrow for columns.
    private func label(_ column: Int) -> Markup {
        comparisons.names.count > 2 ? " data-name=\"\(comparisons.names[column])\"" : ""
    }

    private func cell(_ row: Comparison.Row, _ label: Markup) -> Markup {
        let tone: Markup =
            switch row.isBetter {
            case true?: " class=\"ok\""
            case false?: " class=\"bad\""
            case nil: ""
            }
        let difference: Markup =
            row.difference.isEmpty ? "" : "<small\(tone)>\(row.difference)</small>"
        return "<td class=\"n\"\(label)>\(row.other)\(difference)</td>"
    }
}

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

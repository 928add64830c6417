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

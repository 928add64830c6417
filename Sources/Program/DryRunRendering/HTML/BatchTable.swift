internal import DryRunReport
internal import PipelineCore

/// Every batch of a simulation; of very many the first and the last.
struct BatchTable {
    /// A longer table is folded away.
    private static let shown = 12
    private static let first = 200
    private static let last = 100

    let ruleSet: RuleSet
    /// Whether the page has no other rule set.
    let isAlone: Bool

    private var report: SimulationReport { ruleSet.report }
    private var hasFill: Bool { report.batches.contains { $0.fill != nil } }
    private var hasWait: Bool { report.batches.contains { $0.longestWait != nil } }

    var section: Markup {
        guard report.hasBarrier else { return "" }
        let id = "batches-\(ruleSet.shade)"
        let title = isAlone ? "Batches" : "Batches of \(ruleSet.name)"
        return """
            <section aria-labelledby="\(id)">
            <h2 id="\(id)">\(title)</h2>
            \(Markup.when(report.batches.isEmpty, "<p>None: no trigger fired.</p>\n"))\
            \(Markup.when(!report.batches.isEmpty, content(labelled: id)))\
            </section>

            """
    }

    private func content(labelled id: String) -> Markup {
        let table: Markup = """
            <div class="scroll" tabindex="0" role="region" aria-labelledby="\(id)">
            <table>
            <thead><tr>\(heads)</tr></thead>
            <tbody>
            \(rows)</tbody>
            </table>
            </div>

            """
        guard report.batches.count > Self.shown else { return "<p>\(summary)</p>\n\(table)" }
        return """
            <details>
            <summary>\(summary)</summary>
            \(table)</details>

            """
    }

    private var summary: String {
        let triggers = report.batchesByTrigger.map { "\($0.batches.grouped) by \($0.trigger)" }
        return report.batches.count.counting("batch", "batches") + ": "
            + triggers.joined(separator: ", ")
    }

    private var heads: Markup {
        """
        <th scope="col" class="n wide">No.</th><th scope="col">Sealed at</th>\
        <th scope="col">Closed by</th><th scope="col" class="n">Cases</th>\
        \(Markup.when(hasFill, "<th scope=\"col\" class=\"n wide\">Full</th>"))\
        <th scope="col" class="n wide">Generation</th>\
        \(Markup.when(hasWait, "<th scope=\"col\" class=\"n\">Longest wait</th>"))
        """
    }

    private var rows: Markup {
        let batches = report.batches
        let between = batches.count - Self.first - Self.last
        guard between > 0 else { return "\(batches.map(row))" }
        return """
            \(batches.prefix(Self.first).map(row))<tr class="gap"><td colspan="7">\
            … \(between.grouped) more …</td></tr>
            \(batches.suffix(Self.last).map(row))
            """
    }

    private func row(_ batch: BatchFigures) -> Markup {
        let generation = batch.generation.upperBound - batch.generation.lowerBound
        let fill: Markup = "<td class=\"n wide\">\(batch.fill?.percent ?? "")</td>"
        let wait: Markup = "<td class=\"n\">\(batch.longestWait?.spoken ?? "")</td>"
        return """
            <tr><td class="n wide">\(String(batch.number))</td>\
            <td class="time">\(report.moment(batch.sealedAt))</td>\
            <td>\(batch.closedBy)</td><td class="n">\(batch.cases.count.grouped)</td>\
            \(Markup.when(hasFill, fill))<td class="n wide">\(generation.spoken)</td>\
            \(Markup.when(hasWait, wait))</tr>

            """
    }
}

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

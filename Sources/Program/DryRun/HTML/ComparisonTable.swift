/// All rule sets' figures side by side.
struct ComparisonTable {
    let comparisons: Comparisons

    var section: Markup {
        """
        <section aria-labelledby="comparison">
        <h2 id="comparison">Side by side</h2>
        <div class="scroll" tabindex="0" role="region" aria-labelledby="comparison">
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
        <td class="n">\(row.base)</td>\(row.others.map(cell))</tr>

        """
    }

    private func cell(_ row: Comparison.Row) -> Markup {
        let tone: Markup =
            switch row.isBetter {
            case true?: " class=\"ok\""
            case false?: " class=\"bad\""
            case nil: ""
            }
        let difference: Markup =
            row.difference.isEmpty ? "" : "<small\(tone)>\(row.difference)</small>"
        return "<td class=\"n\">\(row.other)\(difference)</td>"
    }
}

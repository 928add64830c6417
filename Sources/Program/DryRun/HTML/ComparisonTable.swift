/// Both rule sets' figures side by side.
struct ComparisonTable {
    let comparison: Comparison

    var section: Markup {
        let names = comparison.names
        return """
            <section aria-labelledby="comparison">
            <h2 id="comparison">Side by side</h2>
            <div class="scroll" tabindex="0" role="region" aria-labelledby="comparison">
            <table>
            <thead><tr><th scope="col">Figure</th><th scope="col" class="n name">\(names.base)</th>\
            <th scope="col" class="n name">\(names.other)</th></tr></thead>
            <tbody>
            \(comparison.rows.map(row))</tbody>
            </table>
            </div>
            </section>

            """
    }

    private func row(_ row: Comparison.Row) -> Markup {
        let isInner = row.name.hasPrefix(" ")
        let tone: Markup =
            switch row.isBetter {
            case true?: " class=\"ok\""
            case false?: " class=\"bad\""
            case nil: ""
            }
        let difference: Markup =
            row.difference.isEmpty ? "" : "<small\(tone)>\(row.difference)</small>"
        return """
            <tr\(Markup.when(isInner, " class=\"inner\""))><th scope="row">\(row.name)</th>\
            <td class="n">\(row.base)</td><td class="n">\(row.other)\(difference)</td></tr>

            """
    }
}

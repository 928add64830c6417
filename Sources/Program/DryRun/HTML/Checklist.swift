internal import Specification

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

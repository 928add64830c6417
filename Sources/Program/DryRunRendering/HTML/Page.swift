public import DryRunReport
internal import Calendar
internal import PipelineCore

extension DryRunReport {
    /// The report as one page that asks nothing of any other file or host and runs no script.
    ///
    /// Its size is bounded whatever the trace: what arrived is counted in slots, of many batches
    /// the first and the last are listed.
    public func html() -> String { Page(report: self).markup.source }
}

/// The page of a dry run.
struct Page {
    let report: DryRunReport
    let sets: [RuleSet]

    init(report: DryRunReport) {
        self.report = report
        sets = RuleSet.all(of: report)
    }

    /// Nothing may be loaded or run, whatever got into the page.
    private static let policy = "default-src 'none'; style-src 'unsafe-inline'"

    var markup: Markup {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="\(Markup(stringLiteral: Self.policy))">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>Dry run of \(report.file)</title>
        <style>
        \(Markup(stringLiteral: PageStyle.sheet))
        </style>
        </head>
        <body>
        <header>
        <p class="muted">Dry run</p>
        <h1>\(report.simulation?.pipeline ?? report.file)</h1>
        \(origin)\
        </header>
        <main>
        \(verdict)\(figures)\(TimelinePicture(sets).figure)\(WaitPicture(sets).figure)\
        \(sideBySide)\(Checklist(report: report).section)\(tables)\(assumptions)</main>
        \(footer)</body>
        </html>

        """
    }

    private var footer: Markup {
        if sets.isEmpty { return "" }
        return """
            <footer>
            \(sets.map { set -> Markup in
                "<p>\(sets.count > 1 ? "\(set.name): " : "")\(set.report.pace)</p>\n"
            })</footer>

            """
    }

    private var origin: Markup {
        guard let simulation = report.simulation else { return "" }
        let text =
            sets.map(\.report.file).joined(separator: ", ") + ": "
            + "\(simulation.arrivals.count.counting("message", "messages")) with "
            + "\(simulation.cases.count.counting("case", "cases")) in "
            + "\(simulation.traceLength.spoken), from "
            + "\(CivilTime(simulation.start).dateAndMinutes) UTC on"
        return "<p class=\"muted\">\(Paragraph.glued(text))</p>\n"
    }

    private var failures: Int { report.checks.filter { $0.status == .fail }.count }

    private var verdict: Markup {
        let isGood = failures == 0 && sets.allSatisfy { $0.report.verdict.isGood }
        var lines: [Markup] = []
        lines += (report.comparisons?.pairs ?? []).map { pair in
            "<p><b>\(Paragraph.glued(pair.verdict))</b></p>\n"
        }
        lines += sets.map { set in
            let verdict = set.report.verdict
            let name = sets.count > 1 ? "\(set.name): " : ""
            return
                "<p>\(Self.status(verdict.isGood))\(name)\(Paragraph.glued(verdict.sentence))</p>\n"
        }
        if failures > 0 || sets.isEmpty { lines.append(checks) }
        return """
            <section class="verdict\(isGood ? "" : " bad")" aria-label="Verdict">
            \(lines)</section>

            """
    }

    private static func status(_ isGood: Bool) -> Markup {
        isGood ? "<b class=\"ok\">ok</b> " : "<b class=\"bad\">FAIL</b> "
    }

    private var checks: Markup {
        let all = report.checks.count.counting("check", "checks")
        return failures == 0
            ? "<p>\(Self.status(true))\(all), none failed; nothing was simulated</p>\n"
            : "<p>\(Self.status(false))\(failures.grouped) of \(all) failed</p>\n"
    }

    private var figures: Markup {
        guard sets.count == 1, let report = sets.first?.report, !report.cases.isEmpty else {
            return ""
        }
        var figures: [(String, String, String)] = [
            ("Cases", report.cases.count.grouped, "\(report.arrivals.count.grouped) messages")
        ]
        if report.expectsAnswers {
            let inTime = report.waits.count - report.late
            figures.append(
                (
                    "Answered in time", (Double(inTime) / Double(report.cases.count)).percent,
                    "by their deadline; \(report.afterSLA.grouped) after the SLA"
                ))
        }
        if let median = report.wait(quantile: 0.5), let tail = report.wait(quantile: 0.99),
            let worst = report.waits.last
        {
            figures.append(("Wait, p99", tail.spoken, "p50 \(median.spoken)"))
            figures.append(("Longest wait", worst.spoken, "SLA \(report.sla.spoken)"))
        }
        if report.hasBarrier {
            figures.append(
                (
                    "Batches", report.batches.count.grouped,
                    report.meanFill.map { "\($0.percent) full on average" } ?? ""
                ))
        }
        if let cost = report.generation, cost.runs > 0, cost.saved >= 0 {
            figures.append(
                (
                    "Generation saved", cost.saved.percent,
                    "\(cost.busy.spoken), not \(cost.single.spoken)"
                ))
        }
        if figures.count < 2 { return "" }
        return """
            <dl class="figures">
            \(figures.map { name, value, remark -> Markup in
                "<div><dt>\(name)</dt><dd>\(value)<small>\(remark)</small></dd></div>\n"
            })</dl>

            """
    }

    private var sideBySide: Markup {
        report.comparisons.map { ComparisonTable(comparisons: $0).section } ?? ""
    }

    private var tables: [Markup] {
        sets.map { BatchTable(ruleSet: $0, isAlone: sets.count == 1).section }
            + sets.map { StageTable(ruleSet: $0, isAlone: sets.count == 1).section }
    }

    private var assumptions: Markup {
        let assumptions =
            report.comparisons?.assumptions ?? report.simulation?.assumptions ?? []
        if assumptions.isEmpty { return "" }
        return """
            <section aria-labelledby="assumptions">
            <h2 id="assumptions">Assumptions</h2>
            <ul class="plain">
            \(assumptions.map { assumption -> Markup in "<li>\(assumption)</li>\n" })</ul>
            </section>

            """
    }
}

/// HTML or SVG, escaped by construction: what stands in a literal is markup, every text that is
/// interpolated into one is content.
struct Markup: Sendable, ExpressibleByStringInterpolation {
    /// As a browser reads it.
    private(set) var source: String

    init(stringLiteral source: String) { self.source = source }
    init(stringInterpolation: StringInterpolation) { source = stringInterpolation.source }

    /// The markup if a condition holds. A conditional expression of two literals would be a text.
    static func when(_ condition: Bool, _ markup: @autoclosure () -> Markup) -> Markup {
        condition ? markup() : ""
    }

    static func += (left: inout Markup, right: Markup) { left.source += right.source }

    struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var source = ""

        init(literalCapacity: Int, interpolationCount: Int) {
            source.reserveCapacity(literalCapacity + interpolationCount * 8)
        }

        mutating func appendLiteral(_ literal: String) { source += literal }
        /// Content or an attribute's value, which stands in double quotes.
        mutating func appendInterpolation(_ text: String) { source += Self.escaped(text) }
        mutating func appendInterpolation(_ number: Int) { source += String(number) }
        /// A coordinate, to a hundredth.
        mutating func appendInterpolation(_ number: Double) {
            let hundredths = Int((number * 100).rounded())
            let (whole, rest) = hundredths.quotientAndRemainder(dividingBy: 100)
            if hundredths < 0, whole == 0 { source += "-" }
            source += String(whole)
            if rest != 0 {
                let digits = String(abs(rest) + 100).dropFirst()
                source += "." + (digits.hasSuffix("0") ? digits.dropLast() : digits)
            }
        }
        mutating func appendInterpolation(_ markup: Markup) { source += markup.source }
        mutating func appendInterpolation(_ markups: [Markup]) {
            for markup in markups { source += markup.source }
        }
        mutating func appendInterpolation(_ markup: Markup?) { source += markup?.source ?? "" }

        /// With these five a text ends neither an element nor a quoted attribute
        /// ([specification](https://html.spec.whatwg.org/multipage/syntax.html#attributes-2)).
        private static func escaped(_ text: String) -> String {
            var escaped = ""
            for scalar in text.printable.unicodeScalars {
                switch scalar {
                case "&": escaped += "&amp;"
                case "<": escaped += "&lt;"
                case ">": escaped += "&gt;"
                case "\"": escaped += "&quot;"
                case "'": escaped += "&#39;"
                default: escaped.unicodeScalars.append(scalar)
                }
            }
            return escaped
        }
    }
}

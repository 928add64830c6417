import ConfigurationDiagnostics
import ConfigurationFields
import DryRunRendering
import DryRunReport
import LocatedJSON
import PipelineCore
import Testing

@Suite("A dry run's page")
struct PageTests {
    private static let pages: [(name: String, report: DryRunReport)] = [
        ("day", page(SyntheticDay.shipped)),
        ("comparison", page(SyntheticDay.shipped, SyntheticDay.hasty)),
        ("comparisons", page(SyntheticDay.shipped, SyntheticDay.hasty, SyntheticDay.late)),
        ("late", page(SyntheticDay.late)), ("unanswered", page(SyntheticDay.unanswered)),
        ("minutes", page(SyntheticDay.minutes)), ("events", page(SyntheticDay.events)),
        ("empty", page(SyntheticDay.empty)), ("refused", refused), ("hostile", hostile),
    ]

    private static func page(
        _ simulation: SimulationReport, _ others: SimulationReport...
    ) -> DryRunReport {
        var report = DryRunReport(file: simulation.file)
        report.checks = [
            DryRunCheck(.static, "", .ok, "the file is valid"),
            DryRunCheck(.environment, "", .ok, "5 variables have their defaults"),
            DryRunCheck(
                .connect, "bus (kafka://kafka:9092)", .ok,
                "3 brokers; report-requests has 12 partitions"),
            DryRunCheck(
                .connect, "cache (redis://redis:6379)", .skip, "not looked at with --offline"),
            DryRunCheck(.simulate, "", .ok, "24 h in 310 ms"),
        ]
        report.simulation = simulation
        report.others = others
        return report
    }

    /// A file that does not decode and a broker that does not answer: nothing is simulated.
    private static var refused: DryRunReport {
        var report = DryRunReport(file: "reports.json")
        report.checks = [
            DryRunCheck(.static, "", .fail, "1 error", hint: "see the findings"),
            DryRunCheck(
                .connect, "bus (kafka://kafka:9092)", .fail,
                "no broker answered within 5 s: Connection refused",
                hint: "is the broker up, and is its advertised listener reachable from here?"),
            DryRunCheck(.simulate, "", .skip, "the file is not valid"),
        ]
        report.diagnostics = Diagnostics([
            Diagnostic(
                .unknownKey, #"unknown key "cuont""#,
                hint: #"did you mean "count"?"#, file: "reports.json",
                at: Position(line: 14, column: 9, offset: 300))
        ])
        return report
    }

    /// Names and payloads that would be markup, scripts or steering characters.
    private static var hostile: DryRunReport {
        var simulation = SyntheticDay.late
        simulation.pipeline = "<script>alert(1)</script>"
        simulation.file = "\"><img src=x onerror=alert(2)>.json"
        simulation.assumptions = [
            "</li></ul><style>*{display:none}</style>", "\u{202E}reversed\u{0}",
        ]
        for index in simulation.batches.indices {
            simulation.batches[index].closedBy = "count' onload='alert(3)"
        }
        simulation.stages[0].id = "<b onclick=alert(4)>"
        simulation.deadLetters[0].example = "]]></svg><svg onload=alert(5)>"
        var report = page(simulation, simulation)
        report.file = simulation.file
        report.checks[0].detail = "&lt;<iframe src=//example.org>"
        return report
    }

    @Test("is its golden file", arguments: pages.indices)
    func golden(_ index: Int) throws {
        let (name, report) = Self.pages[index]
        try GoldenText.expect(report.html(), toBe: "\(name).html")
    }

    @Test(
        "has no script, no handler, and nothing that a browser would fetch",
        arguments: pages.indices)
    func selfContained(_ index: Int) {
        let page = Self.pages[index].report.html()
        let loading: Set = [
            "<script", "<img", "<link", "<iframe", "<object", "<embed", "<base", "<image", "<use",
        ]
        let attributes = ["on", "src", "href", "style", "xlink"].map { " \($0)" }
        let found = Self.tags(page).filter { tag in
            loading.contains(String(tag.prefix { $0 != " " && $0 != ">" }))
                || attributes.contains { tag.contains($0) }
        }
        #expect(found.isEmpty)
        #expect(!page.contains("url(") && !page.contains("@import"))
        #expect(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""))
    }

    /// Tags in lower case, without the attributes' values, which are content.
    private static func tags(_ page: String) -> [String] {
        var tags: [String] = []
        var tag: [UInt8]?
        var isQuoted = false
        for byte in page.utf8 {
            if tag == nil, byte != UInt8(ascii: "<") { continue }
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if !isQuoted { tag = (tag ?? []) + [byte] }
            if byte == UInt8(ascii: ">"), !isQuoted {
                tags.append(String(decoding: tag ?? [], as: UTF8.self).lowercased())
                tag = nil
            }
        }
        return tags
    }

    @Test("shows hostile names as text")
    func hostileNames() {
        let page = Self.hostile.html()
        #expect(page.contains("<h1>&lt;script&gt;alert(1)&lt;/script&gt;</h1>"))
        #expect(page.contains(#"\u{202e}reversed\u{0}"#))
        #expect(!page.contains("<style>*"))
    }

    @Test("stays small whatever the trace")
    func bounded() {
        let simulation = SyntheticDay.million
        let page = Self.page(simulation, simulation).html()
        #expect(page.utf8.count < 400_000)
        #expect(page.contains("more …"))
        #expect(simulation.text().split(separator: "\n").count < 80)
    }
}

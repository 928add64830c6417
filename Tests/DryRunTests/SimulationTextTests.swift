import DryRunRendering
import DryRunReport
import LocatedJSON
import PipelineCore
import Testing

@Suite("A simulation in text")
struct SimulationTextTests {
    private static let reports: [(name: String, report: SimulationReport)] = [
        ("day", SyntheticDay.shipped), ("hasty", SyntheticDay.hasty),
        ("late", SyntheticDay.late), ("unanswered", SyntheticDay.unanswered),
        ("minutes", SyntheticDay.minutes), ("events", SyntheticDay.events),
        ("empty", SyntheticDay.empty),
    ]

    @Test("reads as its golden file", arguments: reports.indices)
    func golden(_ index: Int) throws {
        let (name, report) = Self.reports[index]
        try GoldenText.expect(report.text(width: 100), toBe: "\(name).txt")
    }

    @Test("fits a narrow terminal")
    func narrow() throws {
        let text = SyntheticDay.shipped.text(width: 60)
        try GoldenText.expect(text, toBe: "narrow.txt")
        let timeline = text.split(separator: "\n").filter { $0.contains("█") || $0.contains("·") }
        #expect(timeline.allSatisfy { $0.count <= 60 })
    }

    @Test("leaves out labels of the scale that would touch")
    func scale() {
        for width in 50...120 {
            let lines = SyntheticDay.seconds.text(width: width).split(separator: "\n")
            let scale = lines.first { $0.contains("┬") }.flatMap { lines.firstIndex(of: $0) }
            let labels = lines[scale! - 1].split(separator: " ")
            #expect(!labels.isEmpty)
            #expect(labels.allSatisfy { $0.count(where: { $0 == ":" }) == 2 }, "\(labels)")
        }
    }

    @Test("differs with colours in nothing but the colours")
    func colours() throws {
        let text = SyntheticDay.late.text(width: 100, colour: true)
        #expect(text.contains("\u{1B}[1;31mFAIL:\u{1B}[0m"))
        let plain = Self.uncoloured(text)
        #expect(plain == SyntheticDay.late.text(width: 100))
    }

    @Test("compares two rule sets as in the golden file")
    func comparison() throws {
        let comparison = Comparison(SyntheticDay.shipped, SyntheticDay.hasty)
        try GoldenText.expect(comparison.text(width: 100), toBe: "comparison.txt")
        let plain = Self.uncoloured(comparison.text(width: 100, colour: true))
        #expect(plain == comparison.text(width: 100))
    }

    @Test("compares several rule sets with one as in the golden file")
    func comparisons() throws {
        let others = [SyntheticDay.hasty, SyntheticDay.late, SyntheticDay.unanswered]
        let text = Comparisons(SyntheticDay.shipped, others).text(width: 100)
        try GoldenText.expect(text, toBe: "comparisons.txt")
    }

    /// The text without what sets colours.
    private static func uncoloured(_ text: String) -> String {
        let parts = text.split(separator: "\u{1B}", omittingEmptySubsequences: false)
        return parts[0] + parts.dropFirst().map { $0.drop { $0 != "m" }.dropFirst() }.joined()
    }

    @Test("is JSON as in the golden file")
    func json() throws {
        try GoldenText.expect(SyntheticDay.shipped.json.written(.pretty) + "\n", toBe: "day.json")
    }

    @Test("compares in JSON with both reports whole")
    func comparisonJSON() {
        let comparison = Comparison(SyntheticDay.shipped, SyntheticDay.hasty)
        let json = comparison.json
        #expect(json["verdict"]?.string == comparison.verdict)
        #expect(json["base"] == SyntheticDay.shipped.json)
        #expect(json["other"] == SyntheticDay.hasty.json)
        let runs = json["figures"]?.items?.first { $0["name"]?.string == "generation runs" }
        #expect(runs?["base"]?.string == "10" && runs?["other"]?.string == "52")
    }

    @Test("leaves out columns that a chain has no figures for")
    func withoutColumns() {
        let text = SyntheticDay.million.text()
        #expect(!text.contains("longest wait"))
        #expect(SyntheticDay.shipped.text().contains("longest wait"))
    }

    @Test("ends with the only line that differs between two runs")
    func lastLine() {
        var report = SyntheticDay.shipped
        let before = report.text().split(separator: "\n")
        report.took = .seconds(7)
        let after = report.text().split(separator: "\n")
        #expect(before.last?.hasPrefix("simulated ") == true)
        #expect(before.dropLast() == after.dropLast())
        #expect(before.last != after.last)
    }

    @Test("lets neither a name nor a payload steer the terminal")
    func escapes() {
        var report = SyntheticDay.shipped
        report.pipeline = "\u{1B}[2Jgone\u{202E}"
        report.deadLetters = [
            DeadLetterCount(stage: "a\nb", code: "c", example: "\u{9B}31m\rx", count: 1)
        ]
        let text = report.text()
        let controls = text.unicodeScalars.filter {
            $0 != "\n" && ($0.value < 0x20 || (0x7F..<0xA0).contains($0.value) || $0 == "\u{202E}")
        }
        #expect(controls.isEmpty)
        #expect(text.contains(#"\u{1b}[2Jgone\u{202e}"#))
        #expect(text.contains(#"a\nb"#))
    }
}

import DryRunRendering
import DryRunReport
import PipelineCore
import Testing

@Suite("The verdict")
struct VerdictTests {
    @Test("is good when every case was answered in time, and says what batching saved")
    func good() {
        let verdict = SyntheticDay.shipped.verdict
        #expect(verdict.isGood)
        #expect(verdict.sentence.hasPrefix("every case answered within 24 h (worst 12 h"))
        #expect(verdict.sentence.hasSuffix("% of generation time saved"))
    }

    @Test("fails for late cases, and for those without an answer")
    func bad() {
        #expect(!SyntheticDay.late.verdict.isGood)
        #expect(SyntheticDay.late.verdict.sentence.contains("answered after their deadline, "))
        #expect(!SyntheticDay.unanswered.verdict.isGood)
        #expect(SyntheticDay.unanswered.verdict.sentence.contains("not answered when"))
    }

    @Test("asks no answers of a chain that gives none")
    func noAnswers() { #expect(SyntheticDay.events.verdict.isGood) }

    @Test("of a comparison names the wait and the price")
    func comparison() {
        let verdict = Comparison(SyntheticDay.shipped, SyntheticDay.hasty).verdict
        #expect(verdict.hasPrefix("every-half-hour.json answers "))
        #expect(verdict.contains(" sooner at p99 and costs "))
        let same = Comparison(SyntheticDay.shipped, SyntheticDay.shipped).verdict
        #expect(same.contains("answers as soon at p99"))
    }

    @Test("of a comparison puts cases without a timely answer first")
    func faults() {
        let verdict = Comparison(SyntheticDay.shipped, SyntheticDay.late).verdict
        #expect(verdict.contains("late or unanswered instead of none"))
    }
}

import Ledger
import PipelineCore
import Testing

@Suite("What is foretold of a rule")
struct RuleFindingTests {
    private func verdict(
        revision: Int64?, stored: (String, Int64)?
    ) -> ResourceFinding.Verdict {
        LedgerNeed(pipeline: "p", stage: "s", ruleText: "new", revision: revision)
            .finding(stored: stored.map { (ruleText: $0.0, revision: $0.1) }).verdict
    }

    @Test("is what registering it does")
    func verdicts() {
        #expect(verdict(revision: nil, stored: nil) == .ok)
        #expect(verdict(revision: nil, stored: ("new", 3)) == .ok)
        #expect(verdict(revision: nil, stored: ("old", 3)) == .ok)
        #expect(verdict(revision: 3, stored: ("new", 3)) == .ok)
        #expect(verdict(revision: 4, stored: ("old", 3)) == .ok)
        #expect(verdict(revision: 3, stored: ("old", 3)) == .wrong)
        #expect(verdict(revision: 2, stored: ("old", 3)) == .wrong)
        #expect(verdict(revision: 2, stored: ("new", 3)) == .wrong)
    }
}

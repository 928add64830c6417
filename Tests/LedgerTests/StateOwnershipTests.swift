import Ledger
import PipelineCore
import Testing

@Suite("State that is owned by a name")
struct StateOwnershipTests {
    private func owner(
        _ pipeline: String, _ stage: String = "batch", sinks: Set<String> = ["ready"],
        inputs: Set<String> = ["requests"], servesCallers: Bool = false
    ) -> StateOwner {
        StateOwner(
            pipeline: pipeline, stage: stage, sinks: sinks, inputs: inputs,
            servesCallers: servesCallers)
    }

    private func state(
        _ pipeline: String, _ stage: String = "batch", waiting: Int = 5,
        undelivered: [String: Int] = [:], sources: Set<String> = ["requests"]
    ) -> StageState {
        StageState(
            pipeline: pipeline, stage: stage, waiting: waiting, undelivered: undelivered,
            sources: sources)
    }

    private func objections(
        _ owners: StateOwner..., stored: StageState..., isExclusive: Bool = false
    ) -> [StateOwnership.Objection] {
        StateOwnership(owners: owners, stored: stored, isExclusive: isExclusive)
            .objections(pipeline: owners[0].pipeline, stage: owners[0].stage)
    }

    @Test("is left alone when nothing is open, or it is the stage's own")
    func fine() {
        #expect(objections(owner("p")).isEmpty)
        #expect(objections(owner("p"), stored: state("p")).isEmpty)
        #expect(objections(owner("q"), stored: state("p", waiting: 0)).isEmpty)
        #expect(objections(owner("p"), stored: state("p", undelivered: ["ready": 1])).isEmpty)
    }

    @Test("is missed when a stage is called something else in the pipeline's file")
    func stage() {
        let found = objections(owner("p", "collect"), stored: state("p"))
        #expect(found.count == 1)
        #expect(
            found.first?.problem
                == "the ledger holds 5 waiting cases of p/batch, a stage that the file of p does not have"
        )
        #expect(
            found.first?.remedy
                == "`penstock migrate --rename p/batch=p/collect` moves it, `--abandon p/batch` ends it"
        )
        // Even when the new one has been at work already.
        #expect(
            objections(owner("p", "collect"), stored: state("p"), state("p", "collect")).count == 1)
    }

    @Test(
        "is missed when a new pipeline is going to read what another one's stage reads",
        arguments: [["requests"], ["kafka:abc/requests"], ["kafka:abc/requests#2"]])
    func pipeline(sources: [String]) {
        let found = objections(owner("q"), stored: state("p", sources: Set(sources)))
        #expect(found.first?.remedy.hasPrefix("`penstock migrate --rename p=q` moves it") == true)
        // Once it has a row of its own, or both are at hand, nothing is taken for a renaming.
        #expect(
            objections(
                owner("q"), stored: state("p", sources: Set(sources)), state("q", waiting: 0)
            ).isEmpty)
        #expect(
            objections(owner("q"), owner("p"), stored: state("p", sources: Set(sources))).isEmpty)
    }

    @Test("is not confused with that of a pipeline that reads something else")
    func separate() {
        #expect(objections(owner("q"), stored: state("p", sources: ["others"])).isEmpty)
        #expect(objections(owner("q"), stored: state("p", sources: ["more-requests"])).isEmpty)
        #expect(objections(owner("q"), stored: state("p", sources: [])).isEmpty)
        #expect(
            objections(owner("q", servesCallers: true), stored: state("p", sources: [])).count == 1)
    }

    /// Everything it has taken in is answered and delivered.
    private func done(
        _ pipeline: String, _ stage: String = "batch", sources: Set<String> = ["kafka:abc/requests"]
    ) -> StageState {
        StageState(pipeline: pipeline, stage: stage, sources: sources, hasHistory: true)
    }

    @Test(
        "is missed with nothing open, too, when a new stage is going to read what another one has read",
        arguments: ["requests", "kafka:abc/requests"])
    func history(input: String) {
        let found = objections(owner("p", "collect", inputs: [input]), stored: done("p"))
        #expect(found.count == 1)
        #expect(found.first?.problem.contains("what p/batch has answered") == true)
        #expect(found.first?.problem.contains("positions in kafka:abc/requests") == true)
        #expect(
            found.first?.remedy.contains("`penstock migrate --rename p/batch=p/collect`") == true)
        #expect(found.first?.remedy.contains("`--abandon p/batch`") == true)
        let pipeline = objections(owner("q", inputs: [input]), stored: done("p"))
        #expect(pipeline.first?.remedy.contains("--rename p=q") == true)
        // Of an earlier version.
        #expect(
            objections(owner("q", inputs: [input]), stored: done("p", sources: ["requests"]))
                .count == 1)
    }

    @Test("is missed with nothing open when a pipeline's callers are answered by another stage")
    func callers() {
        let new = owner("p", "collect", inputs: [], servesCallers: true)
        #expect(objections(new, stored: done("p", sources: [])).count == 1)
        // What it has answered is not found under another pipeline's name, and a repeat is answered
        // anew.
        let other = objections(new, stored: done("q", sources: []))
        #expect(other.first?.remedy.contains("--rename q/batch=p/collect") == true)
        // Both are meant, or it has its own.
        #expect(objections(new, owner("q"), stored: done("q", sources: [])).isEmpty)
        #expect(
            objections(
                new, stored: done("q", sources: []), done("p", "collect", sources: [])
            ).isEmpty)
        #expect(
            objections(owner("p", "collect"), stored: done("q", sources: [])).isEmpty)
    }

    @Test("is missed when it is a pause that would hold nothing up any more")
    func pauses() {
        let pause = LedgerPause(since: .epoch, reason: "repair (ada@vm)")
        func paused(_ parts: LedgerPart..., of pipeline: String = "p") -> StageState {
            StageState(
                pipeline: pipeline, stage: "batch",
                pauses: Dictionary(uniqueKeysWithValues: parts.map { ($0, pause) }))
        }
        let own = StateOwner(
            pipeline: "p", stage: "batch", sinks: ["ready"], intakes: ["in"], servesCallers: true)
        let kept = paused(.sealing, .generation, .intake("in"), .delivery("ready"))
        #expect(objections(own, stored: kept).isEmpty)
        #expect(
            objections(own, stored: paused(.intake("old"), .delivery("copy"))).map(\.problem) == [
                "of p/batch delivery to copy is paused (repair (ada@vm), since 1970-01-01T00:00:00Z), and the file of p does not have it",
                "of p/batch intake of old is paused (repair (ada@vm), since 1970-01-01T00:00:00Z), and the file of p does not have it",
            ])
        let found = objections(
            StateOwner(pipeline: "p", stage: "collect"), stored: paused(.sealing))
        #expect(
            found.map(\.problem) == [
                "of p/batch, which is not at hand, sealing is paused (repair (ada@vm), since 1970-01-01T00:00:00Z)"
            ])
        #expect(
            found.first?.remedy.contains("--rename p/batch=p/collect") == true
                && found.first?.remedy.contains("resume FILE p/batch") == true)
        // A new pipeline that may be the one that is paused; others are their own.
        #expect(objections(own, stored: paused(.sealing, of: "q")).count == 1)
        #expect(objections(own, stored: kept, paused(.sealing, of: "q")).isEmpty)
        #expect(
            objections(
                StateOwner(pipeline: "p", stage: "batch"), stored: paused(.sealing, of: "q"),
                isExclusive: true
            ).isEmpty)
    }

    @Test("is nobody else's business while nothing is open and no stage begins anew in its place")
    func noRenaming() {
        // It has its own: whatever was taken away, or reads another topic now.
        #expect(objections(owner("p", inputs: ["others"]), stored: done("p")).isEmpty)
        #expect(
            objections(owner("p"), stored: done("p"), done("p", "second"), done("q")).isEmpty)
        // Another topic, another bus.
        #expect(objections(owner("p", "new", inputs: ["others"]), stored: done("p")).isEmpty)
        #expect(
            objections(owner("p", "new", inputs: ["kafka:xyz/requests"]), stored: done("p"))
                .isEmpty)
        // Beside the old one.
        #expect(objections(owner("p", "new"), owner("p"), stored: done("p")).isEmpty)
        #expect(objections(owner("q"), stored: done("p"), done("q", sources: [])).isEmpty)
        #expect(objections(owner("q"), stored: done("p"), isExclusive: true).count == 1)
        #expect(
            objections(owner("q", inputs: ["others"]), stored: done("p"), isExclusive: true)
                .isEmpty)
    }

    @Test("is missed whatever it is where nobody else can be at work")
    func exclusive() {
        let found = objections(
            owner("q"), stored: state("q"), state("p", sources: ["others"]), isExclusive: true)
        #expect(found.count == 1)
        #expect(found.first?.problem.hasSuffix("and nobody else can work on it") == true)
    }

    @Test("is missed when a sink is gone that has not got everything")
    func sink() {
        let found = objections(
            owner("p", sinks: ["announce"]),
            stored: state("p", waiting: 0, undelivered: ["ready": 2, "announce": 1]))
        #expect(
            found.map(\.problem) == [
                "the ledger holds 2 batches not delivered to ready of p/batch, and ready is no sink behind it"
            ])
    }
}

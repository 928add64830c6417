import Batching
import PipelineCore
import Testing

@Suite("A batching rule")
struct BatchingRuleTests {
    private let start = Timestamp(microseconds: 1_000_000_000_000)

    private func at(_ seconds: Int64) -> Timestamp { start.advanced(by: .seconds(seconds)) }

    /// Decides at `now` seconds; all times are seconds since the start.
    private func decide(
        _ trigger: Trigger, maxBatch: Int = 512, minInterval: Int64 = 0, count: Int,
        oldest: Int64? = 0, deadline: Int64? = nil, flush: Int64? = nil, lastFired: Int64? = nil,
        now: Int64
    ) -> SealingDecision {
        BatchingRule(trigger: trigger, maxBatch: maxBatch, minInterval: .seconds(minInterval))
            .decide(
                OpenBatch(
                    count: count, oldest: oldest.map(at), earliestDeadline: deadline.map(at),
                    flushRequested: flush.map(at), lastFired: lastFired.map(at)),
                now: at(now))
    }

    @Test("by count fires with exactly its number, no case earlier")
    func count() {
        #expect(decide(.count(512), count: 511, now: 0) == .wait(until: nil))
        #expect(
            decide(.count(512), count: 512, now: 0) == .fire(.full(closedBy: "count", size: 512)))
        #expect(
            decide(.count(512), count: 513, now: 0) == .fire(.full(closedBy: "count", size: 512)))
        #expect(
            decide(.count(512), maxBatch: 50, count: 512, now: 0)
                == .fire(.full(closedBy: "count", size: 50)))
        #expect(
            decide(.count(50), maxBatch: 512, count: 512, now: 0)
                == .fire(.full(closedBy: "count", size: 50)))
    }

    @Test("by age fires at the very instant, and says when that is")
    func age() {
        let rule = Trigger.maxAge(.seconds(60))
        #expect(decide(rule, count: 1, oldest: 10, now: 69) == .wait(until: at(70)))
        #expect(decide(rule, count: 1, oldest: 10, now: 70) == .fire(.drain(closedBy: "max_age")))
    }

    @Test("by deadline fires its margin before the earliest")
    func deadline() {
        let rule = Trigger.deadlineMargin(.seconds(300))
        #expect(decide(rule, count: 1, deadline: 1000, now: 699) == .wait(until: at(700)))
        #expect(
            decide(rule, count: 1, deadline: 1000, now: 700)
                == .fire(.drain(closedBy: "deadline_margin")))
        #expect(decide(rule, count: 1, deadline: nil, now: 700) == .wait(until: nil))
    }

    @Test("by hand fires when somebody has asked")
    func manual() {
        #expect(decide(.manual, count: 1, now: 0) == .wait(until: nil))
        #expect(decide(.manual, count: 1, flush: 0, now: 0) == .fire(.drain(closedBy: "manual")))
    }

    @Test("never fires while nothing waits")
    func nothing() {
        for trigger in [Trigger.count(1), .maxAge(.seconds(1)), .manual] {
            #expect(
                decide(trigger, count: 0, oldest: 0, flush: 0, now: 100) == .wait(until: nil))
        }
    }

    @Test("of any fires with the first that holds, else waits for the earliest")
    func any() {
        let rule = Trigger.any([.count(3), .maxAge(.seconds(60)), .deadlineMargin(.seconds(10))])
        #expect(decide(rule, count: 2, deadline: 50, now: 0) == .wait(until: at(40)))
        #expect(
            decide(rule, count: 3, deadline: 50, now: 45)
                == .fire(.full(closedBy: "count", size: 3)))
        #expect(
            decide(rule, count: 2, deadline: 50, now: 60) == .fire(.drain(closedBy: "max_age")))
    }

    @Test("of all fires when the last one holds, and drains")
    func all() {
        let rule = Trigger.all([.count(3), .maxAge(.seconds(60))])
        #expect(decide(rule, count: 2, now: 100) == .wait(until: nil))
        #expect(decide(rule, count: 3, now: 10) == .wait(until: at(60)))
        #expect(decide(rule, count: 3, now: 60) == .fire(.drain(closedBy: "count+max_age")))
    }

    @Test("nests")
    func nested() {
        let rule = Trigger.any([.all([.count(2), .maxAge(.seconds(60))]), .manual])
        #expect(decide(rule, count: 2, now: 0) == .wait(until: at(60)))
        #expect(decide(rule, count: 1, flush: 0, now: 0) == .fire(.drain(closedBy: "manual")))
        #expect(decide(rule, count: 2, now: 60) == .fire(.drain(closedBy: "count+max_age")))
    }

    @Test("keeps its interval between firings, full batches and flushes excepted")
    func interval() {
        let rule = Trigger.any([.count(3), .maxAge(.seconds(1)), .manual])
        #expect(
            decide(rule, minInterval: 10, count: 1, oldest: 5, lastFired: 4, now: 7)
                == .wait(until: at(14)))
        #expect(
            decide(rule, minInterval: 10, count: 1, oldest: 5, lastFired: 4, now: 14)
                == .fire(.drain(closedBy: "max_age")))
        #expect(
            decide(rule, minInterval: 10, count: 3, oldest: 5, lastFired: 4, now: 7)
                == .fire(.full(closedBy: "count", size: 3)))
        #expect(
            decide(.manual, minInterval: 10, count: 1, oldest: 5, flush: 6, lastFired: 4, now: 7)
                == .fire(.drain(closedBy: "manual")))
    }

    @Test("is monotone: what holds now holds later, and with more")
    func monotone() {
        let rules: [Trigger] = [
            .count(5), .maxAge(.seconds(30)), .deadlineMargin(.seconds(20)),
            .all([.count(3), .maxAge(.seconds(10))]), .any([.count(9), .maxAge(.seconds(40))]),
        ]
        for rule in rules {
            var hasFired = false
            for step in 0..<60 {
                let decision = decide(rule, count: 1 + step / 4, deadline: 70, now: Int64(step))
                if case .fire = decision { hasFired = true }
                if hasFired, case .wait = decision { Issue.record("\(rule) went back at \(step)") }
            }
            #expect(hasFired, "\(rule)")
        }
    }

    @Test("knows how many cases make a full batch")
    func full() {
        func full(_ trigger: Trigger) -> Int {
            BatchingRule(trigger: trigger, maxBatch: 512, minInterval: .zero).fullBatch
        }
        #expect(full(.any([.any([.count(100), .maxAge(.hours(1))]), .count(200)])) == 100)
        #expect(full(.any([.count(700), .manual])) == 512)
        #expect(full(.all([.count(5), .maxAge(.hours(1))])) == 512)
        #expect(full(.maxAge(.hours(1))) == 512)
    }

    @Test("names beforehand what can close its batches")
    func reasons() {
        #expect(
            Trigger.any([.count(5), .any([.maxAge(.hours(1)), .manual]), .count(9)]).reasons
                == ["count", "max_age", "manual"])
        let both = Trigger.all([.count(5), .any([.maxAge(.hours(1)), .idle(.seconds(1))])])
        #expect(both.reasons == ["count+max_age", "count+idle"])
        let wide = Trigger.any([.count(1), .maxAge(.hours(1)), .idle(.hours(1)), .manual])
        #expect(Trigger.all(Array(repeating: wide, count: 20)).reasons.count == 64)
    }

    @Test("counts no further than makes a difference")
    func bound() {
        let rule = BatchingRule(
            trigger: .any([.count(700), .manual]), maxBatch: 512, minInterval: .zero)
        #expect(rule.countBound == 700)
        #expect(
            BatchingRule(trigger: .manual, maxBatch: 512, minInterval: .zero).countBound == 512)
    }
}

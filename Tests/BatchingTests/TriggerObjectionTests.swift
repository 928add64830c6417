import ConfigurationDiagnostics
import Batching
import PipelineCore
import Testing

@Suite("A trigger's objections")
struct TriggerObjectionTests {
    private func messages(_ trigger: Trigger) -> [String] {
        trigger.objections(field: "trigger").map { "\($0.field): \($0.message)" }
    }

    @Test("are none where every rule can decide")
    func none() {
        #expect(
            messages(
                .any([.count(512), .maxAge(.hours(12)), .deadlineMargin(.minutes(5)), .manual])
            ).isEmpty)
        #expect(messages(.all([.count(5), .maxAge(.hours(1))])).isEmpty)
        #expect(
            messages(.any([.all([.count(5), .maxAge(.hours(1))]), .maxAge(.hours(2))])).isEmpty)
    }

    @Test("name a rule beside which another always fires first")
    func idle() {
        #expect(
            messages(.any([.count(512), .count(1024)])) == [
                #"trigger.any[1]: {"count":1024} never fires first: {"count":512} always does"#
            ])
        #expect(messages(.any([.maxAge(.hours(2)), .maxAge(.hours(1))]).self).count == 1)
        #expect(
            messages(.any([.deadlineMargin(.minutes(5)), .deadlineMargin(.hours(1))])).count == 1)
        #expect(messages(.any([.count(1), .maxAge(.hours(1))])).count == 1)
        #expect(
            messages(.any([.maxAge(.hours(1)), .all([.count(5), .maxAge(.hours(1))])])).count == 1)
    }

    @Test("name one of two equal rules, the later")
    func equal() {
        #expect(
            messages(.any([.manual, .manual])) == [
                #"trigger.any[1]: {"manual":true} never fires first: {"manual":true} always does"#
            ])
    }

    @Test("name a rule of which another is only a stricter form")
    func redundant() {
        #expect(
            messages(.all([.count(5), .count(10)])) == [
                #"trigger.all[0]: {"count":5} adds nothing: {"count":10} holds only when it does"#
            ])
    }

    @Test("point into nested rules")
    func nested() {
        #expect(
            messages(.any([.manual, .all([.count(5), .count(5)])])).first?
                .hasPrefix("trigger.any[1].all[1]: ") == true)
    }

    private func besides(
        _ trigger: Trigger, maxBatch: Int = 512, minInterval: Duration = .zero
    ) -> [String] {
        BatchingRule(trigger: trigger, maxBatch: maxBatch, minInterval: minInterval)
            .objections(field: "trigger", sla: .hours(24))
            .map {
                "\($0.field) \($0.code.rawValue): \($0.message)" + ($0.hint.map { "; \($0)" } ?? "")
            }
    }

    @Test("tell of a count that no batch can hold")
    func count() {
        #expect(
            besides(.any([.maxAge(.hours(1)), .count(600)])) == [
                #"trigger.any[1] count-above-batch: waits for 600 cases and seals 512 of them ("max_batch"): 88 stay; a count of 512 seals as many, and waits for 88 cases less"#
            ])
        #expect(besides(.count(512)).isEmpty)
        // What drains seals all of them, in two batches.
        #expect(besides(.all([.count(600), .maxAge(.hours(1))])).isEmpty)
    }

    @Test("tell of a margin that makes each case due as it arrives")
    func margin() {
        #expect(
            besides(.any([.count(5), .deadlineMargin(.hours(24))]), minInterval: .seconds(10)) == [
                #"trigger.any[1] margin-above-sla: a case has 24h ("sla") and is due 24h before that: as it arrives; each arrival is a batch of its own, up to 8640 runs a day ("min_interval" 10s)"#
            ])
        #expect(besides(.deadlineMargin(.hours(25))).count == 1)
        #expect(besides(.deadlineMargin(.hours(23))).isEmpty)
    }

    @Test("tell of a pause that is longer than what a rule promises")
    func interval() throws {
        #expect(
            besides(.any([.count(5), .maxAge(.minutes(10))]), minInterval: .hours(1)) == [
                #"trigger.any[1] interval-above-rule: a case may wait 1h ("min_interval") for this rule, and not 10m; shorten "min_interval", or write what really happens"#
            ])
        #expect(
            besides(.deadlineMargin(.minutes(5)), minInterval: .hours(1)) == [
                #"trigger interval-above-rule: a case that is due 5m before its deadline may be held back 1h ("min_interval"): until 55m after it; shorten "min_interval" below the margin"#
            ])
        let hourly = Trigger.cron(CronSchedule(try CronExpression(parsing: "0 * * * *")))
        for rule in [Trigger.every(.minutes(30)), hourly] {
            #expect(besides(rule, minInterval: .hours(2)).count == 1)
            #expect(besides(rule, minInterval: .minutes(10)).isEmpty)
        }
        #expect(besides(.any([.idle(.minutes(1)), .manual]), minInterval: .hours(1)).isEmpty)
    }

    @Test("know what a pause, a period and a schedule imply")
    func time() throws {
        let daily = Trigger.cron(CronSchedule(try CronExpression(parsing: "0 6 * * *")))
        // What has been idle for 10 minutes is older than 5.
        #expect(messages(.any([.idle(.minutes(10)), .maxAge(.minutes(5))])).count == 1)
        #expect(messages(.any([.idle(.minutes(5)), .maxAge(.minutes(10))])).isEmpty)
        #expect(messages(.any([.idle(.minutes(5)), .idle(.minutes(10))])).count == 1)
        // Within two hours there is a full hour.
        #expect(messages(.any([.every(.hours(1)), .maxAge(.hours(2))])).count == 1)
        #expect(messages(.any([.every(.hours(2)), .maxAge(.hours(1))])).isEmpty)
        #expect(messages(.any([.every(.hours(1)), .every(.hours(3))])).count == 1)
        #expect(messages(.any([.every(.hours(2)), .every(.hours(3))])).isEmpty)
        #expect(messages(.any([daily, .maxAge(.hours(24))])).count == 1)
        #expect(messages(.any([daily, .maxAge(.hours(23))])).isEmpty)
        #expect(messages(.all([.idle(.minutes(10)), .maxAge(.minutes(5))])).count == 1)
        #expect(messages(.any([daily, daily])).count == 1)
    }
}

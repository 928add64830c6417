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

import Calendar
import Batching
import PipelineCore
import Testing

@testable import PipelineRuntime

@Suite("A forecast of the sealing")
struct SealingForecastTests {
    private let start = Timestamp(microseconds: 1_000_000_000_000)

    /// A forecast after a look that found so much, at the clock's origin.
    private func forecast(
        _ trigger: Trigger, waiting: Int = 0, next: Duration? = nil
    ) -> SealingForecast {
        let rule = BatchingRule(trigger: trigger, maxBatch: 100, minInterval: .zero)
        var forecast = SealingForecast { rule.decide($0, now: $1) }
        let open = OpenBatch(
            count: waiting, oldest: waiting > 0 ? start : nil,
            earliestDeadline: waiting > 0 ? start.advanced(by: .hours(24)) : nil)
        forecast.look(
            SealingResult(
                open: open, clock: start, sealed: [],
                next: next.map { start.advanced(by: $0) }), at: Instant(nanoseconds: 0))
        return forecast
    }

    private func add(
        _ count: Int, deadline: Timestamp? = nil, after: Duration = .zero,
        to forecast: inout SealingForecast
    ) -> Bool {
        forecast.add(
            count, earliestDeadline: deadline, sla: .hours(24),
            at: Instant(nanoseconds: after.wholeNanoseconds))
    }

    @Test("looks at once as long as nothing is known")
    func unknown() {
        let rule = BatchingRule(trigger: .count(9), maxBatch: 9, minInterval: .zero)
        var forecast = SealingForecast { rule.decide($0, now: $1) }
        #expect(add(1, to: &forecast))
    }

    @Test("looks when the count is reached, over several arrivals")
    func count() {
        var forecast = forecast(.count(10), waiting: 4)
        #expect(!add(5, to: &forecast))
        #expect(add(1, to: &forecast))
    }

    @Test("looks when the first arrival starts a clock that nobody watches yet")
    func age() {
        var idle = forecast(.maxAge(.seconds(60)))
        #expect(add(1, to: &idle))
        var watched = forecast(.maxAge(.seconds(60)), waiting: 1, next: .seconds(60))
        #expect(!add(1, to: &watched))
    }

    @Test("looks when a deadline is nearer than the next look")
    func deadline() {
        var forecast = forecast(.deadlineMargin(.seconds(300)), waiting: 1, next: .hours(23))
        #expect(!add(1, to: &forecast))
        #expect(add(1, deadline: start.advanced(by: .seconds(600)), to: &forecast))
    }

    @Test("counts time on the store's clock, from the last look on")
    func storeClock() {
        var forecast = forecast(.deadlineMargin(.seconds(300)), waiting: 1, next: .seconds(900))
        let due = start.advanced(by: .seconds(1000))
        #expect(add(1, deadline: due, after: .seconds(701), to: &forecast))
    }
}

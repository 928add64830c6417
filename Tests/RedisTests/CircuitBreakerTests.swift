import PipelineTesting
import Calendar
import PipelineCore
import Testing

@testable import Redis

@Suite("The circuit breaker")
struct CircuitBreakerTests {
    private let error = PipelineError.retryable("cache-unavailable", "down")

    private func at(_ duration: Duration) -> Instant {
        Instant(nanoseconds: 0).advanced(by: duration)
    }

    private func describe(_ admission: CircuitBreaker.Admission) -> String {
        switch admission {
        case .pass: "pass"
        case .refuse: "refuse"
        case .refuseAndAttempt: "attempt"
        }
    }

    @Test func passesEverythingUntilTheFirstFailure() {
        var breaker = CircuitBreaker()
        #expect(describe(breaker.admit(now: at(.zero), canAttempt: true)) == "pass")
        breaker.failed(error, now: at(.zero), jitter: 0)
        #expect(describe(breaker.admit(now: at(.zero), canAttempt: true)) == "refuse")
    }

    @Test func letsOneAttemptBeginWhenTheBackOffIsOver() {
        var breaker = CircuitBreaker()
        breaker.failed(error, now: at(.zero), jitter: 0)
        #expect(describe(breaker.admit(now: at(.milliseconds(49)), canAttempt: true)) == "refuse")
        #expect(describe(breaker.admit(now: at(.milliseconds(50)), canAttempt: false)) == "refuse")
        #expect(describe(breaker.admit(now: at(.milliseconds(50)), canAttempt: true)) == "attempt")
        #expect(describe(breaker.admit(now: at(.hours(1)), canAttempt: true)) == "refuse")
        breaker.succeeded()
        #expect(describe(breaker.admit(now: at(.hours(1)), canAttempt: true)) == "pass")
    }

    @Test func doublesTheBackOffUpToItsBound() {
        var breaker = CircuitBreaker()
        var now = at(.zero)
        var waits: [Int64] = []
        for _ in 0..<9 {
            breaker.failed(error, now: now, jitter: 0)
            let begin = now
            while describe(breaker.admit(now: now, canAttempt: true)) != "attempt",
                now < at(.minutes(1))
            {
                now = now.advanced(by: .milliseconds(10))
            }
            waits.append(begin.duration(to: now).wholeMilliseconds)
        }
        #expect(waits == [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000])
    }

    @Test func shortensTheBackOffByJitter() {
        var breaker = CircuitBreaker()
        breaker.failed(error, now: at(.zero), jitter: 0.999_999)
        #expect(describe(breaker.admit(now: at(.milliseconds(26)), canAttempt: true)) == "attempt")
    }

    @Test func countsConnectionsThatFailTogetherOnce() {
        var breaker = CircuitBreaker()
        for _ in 0..<5 { breaker.failed(error, now: at(.zero), jitter: 0) }
        #expect(describe(breaker.admit(now: at(.milliseconds(50)), canAttempt: true)) == "attempt")
    }
}

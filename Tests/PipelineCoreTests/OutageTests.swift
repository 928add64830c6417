import Logging
import PipelineCore
import PipelineTesting
import Testing

@Suite("An outage")
struct OutageTests {
    private let time = ManualClock()
    private let log = LogCapture()
    private let error = PipelineError.retryable("cache-unavailable", "away")

    private var outage: Outage {
        Outage("look up", "the store answers", clock: time.clock, logger: log.logger())
    }

    /// Level, message and metadata of each line.
    private var lines: [String] {
        log.events.map { event in
            let told = event.metadata.map { "\($0.key)=\($0.value)" }.sorted()
            return "\(event.level) \(event.message) \(told.joined(separator: " "))"
        }
    }

    @Test("is told of when it begins, once a minute while it lasts, and when it ends")
    func whole() {
        let outage = outage
        outage.succeeded()
        for _ in 0..<1000 {
            outage.failed(error)
            time.advance(by: .milliseconds(100))
        }
        outage.succeeded()
        outage.succeeded()
        #expect(
            lines == [
                "warning the store answers error=away [cache-unavailable] what=look up",
                "warning the store answers error=away [cache-unavailable] failures=601 "
                    + "outage_seconds=60.0 what=look up",
                "notice works again failures=1000 outage_seconds=100.0 what=look up",
            ])
    }

    @Test("that comes and goes is not told of each time")
    func flapping() {
        let outage = outage
        for _ in 0..<600 {
            outage.failed(error)
            outage.succeeded()
            time.advance(by: .seconds(1))
        }
        #expect(log.events.count == 20)
    }

    @Test("of one thing is told of beside that of another")
    func several() {
        let outages = Outages()
        for what in ["a", "b", "a"] {
            outages.failed(what, error, clock: time.clock, logger: log.logger())
        }
        outages.succeeded("b")
        outages.succeeded("c")
        #expect(
            lines == [
                "warning trying again error=away [cache-unavailable] what=a",
                "warning trying again error=away [cache-unavailable] what=b",
                "notice works again what=b",
            ])
    }
}

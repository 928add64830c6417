import Logging
import PipelineCore
import PipelineTesting
import Testing

@Suite("An outage")
struct OutageTests {
    private let time = ManualClock()
    private let log = LogCapture()
    private let error = PipelineError.retryable("cache-unavailable", "away")

    private var outages: Outages { Outages(clock: time.clock, logger: log.logger()) }
    private var outage: Outage { Outage("look up", "the store answers", among: outages) }

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
        let outages = outages
        for what in ["a", "b", "a"] { outages.failed(what, error) }
        outages.succeeded("b")
        outages.succeeded("c")
        #expect(
            lines == [
                "warning trying again error=away [cache-unavailable] what=a",
                "warning trying again error=away [cache-unavailable] what=b",
                "notice works again what=b",
            ])
    }

    // MARK: Of a backend

    private static let store = Backend(.store, "PostgreSQL at db:5432")
    private let away = PipelineError.retryable("store-unavailable", "refused").of(store)

    @Test("of a backend is told of once for all who need it, and is over when one of them works")
    func shared() {
        let outages = outages
        let one = outages.scoped(to: "one", logger: log.logger())
        let other = outages.scoped(to: "other", logger: log.logger())
        for _ in 0..<200 {
            for pipeline in [one, other] {
                for what in ["accept", "claim"] { pipeline.failed(what, away) }
            }
            time.advance(by: .milliseconds(100))
        }
        #expect(outages.isAway(.store) && !outages.isAway(.bus))
        outages.failed("probe", away)
        outages.succeeded("probe")
        for pipeline in [one, other] {
            for what in ["accept", "claim"] { pipeline.succeeded(what) }
        }
        #expect(!outages.isAway(.store))
        let meanwhile =
            "nothing is accepted, generated or delivered; what was accepted is kept there"
        #expect(
            lines == [
                "warning a store can't be used: \(meanwhile) "
                    + "backend=PostgreSQL at db:5432 error=refused [store-unavailable] what=accept",
                "notice works again backend=PostgreSQL at db:5432 failures=801 outage_seconds=20.0",
            ])
    }

    @Test("of a backend counts what fails meanwhile for lack of it, and nothing else")
    func joined() {
        let outages = outages
        outages.failed("send", PipelineError.retryable("store-busy", "no connection"))
        outages.failed("accept", away)
        // The same operation, now for the backend's sake: its own outage is no news any more.
        outages.failed("send", PipelineError.retryable("store-timeout", "too slow"))
        outages.failed("read", PipelineError.retryable("bus-timeout", "too slow"))
        outages.failed("store", PipelineError.permanent("store-constraint", "no"))
        outages.succeeded("accept")
        outages.succeeded("send")
        outages.succeeded("read")
        #expect(
            lines.map { $0.split(separator: " ").last.map(String.init) } == [
                "what=send", "what=accept", "what=read", "what=store", "outage_seconds=0.0",
                "what=read",
            ])
    }

    @Test("of a backend has an aftermath, which is not told of")
    func aftermath() {
        let outages = outages
        outages.failed("probe", away)
        time.advance(by: .seconds(90))
        outages.failed("probe", away)
        time.advance(by: .seconds(30))
        outages.succeeded("probe")
        #expect(log.events.count == 3)
        time.advance(by: .seconds(30))
        let late = PipelineError.retryable("store-timeout", "too late")
        outages.failed("commit", late)
        outages.succeeded("commit")
        #expect(log.events.count == 3)
        // Counted from the last of it.
        time.advance(by: .seconds(61))
        outages.failed("commit", late)
        #expect(lines.last == "warning trying again error=too late [store-timeout] what=commit")
    }

    @Test("that is over for one pipeline's stage is not over for another's of that name")
    func scopes() {
        let outages = outages
        let one = outages.scoped(to: "one", logger: log.logger())
        let other = outages.scoped(to: "other", logger: log.logger())
        one.failed("seal", error)
        other.failed("seal", error)
        one.succeeded("seal")
        #expect(log.events.count == 3)
        other.succeeded("seal")
        #expect(log.events.count == 4)
    }
}

@Suite("A library's log")
struct LibraryLogTests {
    private let time = ManualClock()
    private let capture = LogCapture()
    private let log: LibraryLog

    init() { log = LibraryLog("lib", clock: time.clock, logger: capture.logger(level: .info)) }

    private var lines: [String] {
        capture.events.map { event in
            "\(event.message) \(event.metadata["suppressed"]?.description ?? "-")"
        }
    }

    @Test("has one line of a kind in a minute, and the next says how many there were between")
    func bounded() {
        for number in 0..<120 {
            log.log(.warning, "A", "a\(number)")
            log.log(.error, "B", "b\(number)")
            log.log(.debug, "C", "details")
            time.advance(by: .seconds(1))
        }
        #expect(lines == ["lib: a0 -", "lib: b0 -", "lib: a60 59", "lib: b60 59"])
        #expect(capture.events[1].level == .error)
        #expect(capture.events[1].metadata["facility"]?.description == "B")
        #expect(capture.events[1].metadata["library"]?.description == "lib")
    }

    @Test("does not say what an outage says, and says what lasts without being one")
    func outage() {
        var isKnown = false
        for number in 0..<10 {
            log.log(.error, "FAIL", "f\(number)", mayBeOutage: true, isKnown: isKnown)
            isKnown = true
            time.advance(by: .seconds(1))
        }
        #expect(lines == [])
        log.log(.error, "FAIL", "g", mayBeOutage: true, isKnown: false)
        #expect(lines == ["lib: g 10"])
    }

    @Test("keeps count of so many kinds and no more")
    func kinds() {
        for number in 0..<1000 { log.log(.warning, "\(number)", "news") }
        #expect(lines.count == 257)
    }
}

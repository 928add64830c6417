import Logging
import Metrics
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
        time.advance(by: .seconds(1))
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
                "what=send", "what=accept", "what=read", "what=store", "outage_seconds=1.0",
                "what=read",
            ])
    }

    @Test("of a backend has an aftermath, which is not told of")
    func aftermath() {
        let outages = outages
        outages.failed("probe", away)
        time.advance(by: .seconds(1))
        outages.failed("probe", away)
        time.advance(by: .seconds(89))
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

    /// What the metrics tell of it: how many have ended, and for how long it has been away by now.
    private func told(_ registry: MetricRegistry) -> [String] {
        registry.exposition().split(separator: "\n").filter {
            $0.hasPrefix("penstock_outage_seconds_count{")
                || $0.hasPrefix("penstock_open_outage_seconds{")
        }.map { String($0.split(separator: " ").last ?? "") }
    }

    @Test("of a backend does not begin anew for what failed before it ended, once")
    func stragglers() {
        let outages = outages
        outages.failed("read", away)
        outages.failed("accept", away)
        time.advance(by: .seconds(5))
        outages.failed("accept", away)
        time.advance(by: .seconds(5))
        outages.succeeded("accept")
        // It was in a pause, and has an old error.
        time.advance(by: .seconds(3))
        outages.failed("read", away)
        #expect(log.events.map(\.message.description).last == "works again")
        let told = log.events.count
        // That it goes on failing is an outage.
        outages.failed("read", away)
        time.advance(by: .seconds(2))
        outages.failed("read", away)
        #expect(log.events.count == told + 1)
    }

    @Test("of a backend that a retry ends within a second is none")
    func retry() {
        let registry = MetricRegistry()
        let outages = Outages(clock: time.clock, logger: log.logger(), metrics: registry)
        outages.use([Self.store])
        #expect(told(registry) == ["0", "0"])
        for _ in 0..<20 {
            outages.failed("accept", away)
            time.advance(by: .milliseconds(900))
            #expect(outages.isAway(.store))
            outages.succeeded("accept")
            time.advance(by: .seconds(10))
        }
        #expect(lines == [])
        #expect(told(registry) == ["0", "0"])
    }

    @Test("of a second has a line when it ends, and is counted, soon after another one, too")
    func short() {
        let registry = MetricRegistry()
        let outages = Outages(clock: time.clock, logger: log.logger(), metrics: registry)
        outages.use([Self.store])
        for seconds in [5, 1, 5] {
            outages.failed("accept", away)
            time.advance(by: .seconds(seconds))
            #expect(told(registry).first == "\(seconds)")
            outages.succeeded("accept")
            time.advance(by: .seconds(10))
        }
        func line(_ seconds: Int) -> String {
            "notice works again backend=PostgreSQL at db:5432 error=refused [store-unavailable] "
                + "failures=1 outage_seconds=\(seconds).0 what=accept"
        }
        #expect(lines == [line(5), line(1), line(5)])
        #expect(told(registry) == ["0", "3"])
        #expect(
            registry.exposition().contains(
                "penstock_outage_seconds_sum{backend=\"PostgreSQL at db:5432\"} 11\n"))
    }

    @Test("that begins soon after another one has a line when it begins, and one when it ends")
    func again() {
        let outages = outages
        for _ in 0..<2 {
            for _ in 0..<6 {
                outages.failed("accept", away)
                time.advance(by: .milliseconds(500))
            }
            outages.succeeded("accept")
            time.advance(by: .seconds(7))
        }
        #expect(
            log.events.map { "\($0.message)".prefix(11) } == [
                "a store can", "works again", "a store can", "works again",
            ])
        // What comes and goes sooner than that is passed over, whatever was said before.
        outages.failed("send", error)
        outages.succeeded("send")
        outages.failed("send", error)
        outages.succeeded("send")
        #expect(log.events.count == 6)
        outages.failed("send", error)
        time.advance(by: .seconds(2))
        outages.failed("send", error)
        outages.succeeded("send")
        #expect(
            lines[6].hasSuffix(
                "failures=2 more_outage_seconds=0.0 more_outages=1 outage_seconds=2.0 what=send"))
        #expect(lines[7].hasPrefix("notice works again") && lines.count == 8)
    }

    @Test(
        "that comes and goes all the time is told of three times, then counted, never passed over")
    func unsteady() {
        let registry = MetricRegistry()
        let outages = Outages(clock: time.clock, logger: log.logger(), metrics: registry)
        outages.use([Self.store])
        for _ in 0..<1_800 {
            outages.failed("accept", away)
            time.advance(by: .seconds(1))
            outages.failed("accept", away)
            outages.succeeded("accept")
            time.advance(by: .seconds(1))
        }
        // 3 and their ends, then a line of what came within a minute, and so on.
        #expect(lines.count < 8 * 60)
        #expect(
            lines[6]
                == "warning comes and goes: 30 more outages in the last 60 s, 30 s in all "
                + "backend=PostgreSQL at db:5432 error=refused [store-unavailable] what=accept")
        func told() -> Int {
            log.events.count { "\($0.message)".hasPrefix("works again") }
                + log.events.compactMap { event in
                    "\(event.message)".split(separator: " more outages").first
                        .flatMap { $0.split(separator: " ").last }.flatMap { Int($0) }
                }.reduce(0, +)
        }
        // What was last is told of, too, by whoever says that it works: it is not forgotten.
        #expect(told() < 1_800)
        for _ in 0..<60 {
            time.advance(by: .seconds(1))
            outages.answered(Self.store, at: "probe")
        }
        #expect(told() == 1_800)
        #expect(self.told(registry) == ["0", "1800"])
        let count = log.events.count
        time.advance(by: .minutes(5))
        outages.answered(Self.store, at: "probe")
        #expect(log.events.count == count)
        // One that lasts is told of, however much has been said.
        for _ in 0..<10 {
            outages.failed("accept", away)
            time.advance(by: .seconds(1))
            outages.succeeded("accept")
            time.advance(by: .seconds(1))
        }
        let before = log.events.count
        for _ in 0..<7 {
            outages.failed("accept", away)
            time.advance(by: .seconds(1))
        }
        #expect(lines.count == before + 1)
        #expect(lines.last?.contains("more_outage_seconds=7.0 more_outages=7 ") == true)
    }

    @Test("of a backend that stands still is not over for who only waits for it")
    func silence() {
        let outages = outages
        time.advance(by: .seconds(3))
        outages.failed("read", away)
        for look in 0..<40 {
            outages.isSilent(Self.store, at: "probe", for: .seconds(3 + 2 * look))
            time.advance(by: .seconds(2))
            outages.isQuiet("read")
        }
        #expect(outages.isAway(.store))
        outages.answered(Self.store, at: "probe")
        #expect(!outages.isAway(.store))
        #expect(
            lines.map { $0.split(separator: " ").prefix(2).joined(separator: " ") } == [
                "warning a", "warning a", "notice works",
            ])
        #expect(lines[0].contains("error=PostgreSQL at db:5432 does not answer "))
        #expect(lines[1].contains("failures=32 outage_seconds=63.0"))
        #expect(lines[2].contains("failures=41 outage_seconds=83.0"))
    }

    @Test("that nobody works on any more ends when its backend has answered for a while")
    func forsaken() {
        let outages = outages
        outages.failed("call", away)
        time.advance(by: .seconds(2))
        outages.failed("call", away)
        for _ in 0..<14 {
            time.advance(by: .seconds(1))
            outages.answered(Self.store, at: "probe")
        }
        // A replica that takes no writes answers as well.
        outages.failed("call", away)
        for _ in 0..<16 {
            #expect(outages.isAway(.store))
            time.advance(by: .seconds(1))
            outages.answered(Self.store, at: "probe")
        }
        #expect(!outages.isAway(.store))
        #expect(lines.count == 2 && lines[1].hasSuffix("failures=3 outage_seconds=17.0"))
    }

    @Test("of a run that has ended is forgotten, unless the next one needs the backend")
    func runs() {
        let registry = MetricRegistry()
        let outages = Outages(clock: time.clock, logger: log.logger(), metrics: registry)
        let nowhere = Backend(.store, "PostgreSQL at nowhere:5432")
        func run(_ backend: Backend) -> Outages {
            let run = outages.ofNextRun()
            run.use([backend])
            return run
        }
        let first = run(nowhere)
        let lost = PipelineError.retryable("store-unavailable", "lost").of(nowhere)
        for _ in 0..<2 {
            first.scoped(to: "one", logger: log.logger()).failed("claim", lost)
            first.failed("probe", lost)
            first.failed("fold", error)
            time.advance(by: .seconds(2))
        }
        #expect(log.events.count == 2)
        let second = run(Self.store)
        // What the first still does is nobody's business.
        first.failed("claim", lost)
        first.succeeded("probe")
        #expect(!outages.isAway(.store))
        let late = PipelineError.retryable("store-timeout", "too late")
        second.failed("commit", late)
        second.succeeded("commit")
        second.succeeded("fold")
        #expect(lines.suffix(2).allSatisfy { $0.hasSuffix("what=commit") } && lines.count == 4)
        #expect(told(registry) == ["0", "0", "0", "0"])
        // What the next one needs, too, has been away all the time.
        for _ in 0..<2 {
            second.failed("probe", away)
            time.advance(by: .seconds(2))
        }
        let third = run(Self.store)
        third.failed("probe", away)
        time.advance(by: .seconds(2))
        third.answered(Self.store, at: "probe")
        #expect(lines.count == 6 && lines[5].hasSuffix("failures=3 outage_seconds=6.0"))
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

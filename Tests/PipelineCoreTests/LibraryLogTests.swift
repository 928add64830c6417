import Logging
import PipelineCore
import PipelineTesting
import Testing

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

import Logging
import Testing

@Suite("A logger")
struct LoggerTests {
    private let capture = LogCapture()

    @Test func writesWhatIsAsSevereAsItsLevelAndNothingLess() {
        let logger = capture.logger(level: .warning)
        logger.trace("1")
        logger.debug("2")
        logger.info("3")
        logger.notice("4")
        logger.warning("5")
        logger.error("6")
        logger.critical("7")
        #expect(capture.events.map(\.message) == ["5", "6", "7"])
        #expect(capture.events.map(\.level) == [.warning, .error, .critical])
    }

    @Test func evaluatesNothingForALevelThatIsOff() {
        var evaluations = 0
        func costly() -> String {
            evaluations += 1
            return "costly"
        }
        let logger = capture.logger(level: .info)
        logger.debug("\(costly())", metadata: ["key": "\(costly())"])
        #expect(evaluations == 0)
        logger.info("\(costly())", metadata: ["key": "\(costly())"])
        #expect(evaluations == 2)
    }

    @Test func putsAnEventsMetadataOverItsOwn() {
        var logger = capture.logger()
        logger[metadataKey: "stage"] = "batch"
        logger[metadataKey: "attempt"] = "1"
        logger.info("again", metadata: ["attempt": .stringConvertible(2)])
        logger.info("plain")
        let events = capture.events
        #expect(events[0].metadata.mapValues(\.description) == ["stage": "batch", "attempt": "2"])
        #expect(events[1].metadata.mapValues(\.description) == ["stage": "batch", "attempt": "1"])
    }

    @Test func isAValueWhoseCopiesDoNotShareMetadata() {
        let original = capture.logger()
        var copy = original
        copy[metadataKey: "only"] = "here"
        original.info("original")
        #expect(capture.events[0].metadata.isEmpty)
    }

    @Test func doesNotKeepASecret() {
        capture.logger().info("connecting", metadata: ["password": .secret("hunter2")])
        var dumped = ""
        dump(capture.events, to: &dumped)
        #expect(!dumped.contains("hunter2"))
        #expect(capture.events[0].metadata["password"]?.description == "***")
    }

    @Test func ordersLevelsBySeverity() {
        #expect(Logger.Level.allCases == Logger.Level.allCases.sorted())
    }
}

import Calendar
import Foundation
import Glibc
@testable import Logging
import Testing

@Suite("A line of the log")
struct LogLineTests {
    private func line(
        _ format: LineFormat, _ message: String, _ metadata: Logger.Metadata = [:],
        level: Logger.Level = .info, at microseconds: Int64 = 1_795_518_034_000_007
    ) -> String {
        let event = LogEvent(
            microseconds: microseconds, level: level, label: "runtime", message: message,
            metadata: metadata)
        return String(decoding: format.line(event), as: UTF8.self)
    }

    @Test func isReadByPeopleAsText() {
        #expect(
            line(
                .text(isColoured: false), "batch sealed",
                ["cases": .stringConvertible(512), "by": "count", "note": "two words"])
                    == """
                    2026-11-24T11:00:34.000007Z info     runtime: batch sealed by=count cases=512 \
                    note="two words"\n
                    """)
    }

    @Test func isReadByProgramsAsJSON() {
        #expect(
            line(
                .json, "batch \"sealed\"",
                [
                    "cases": .stringConvertible(512), "ratio": .stringConvertible(0.5),
                    "late": .stringConvertible(false), "sinks": ["ready", "answers"],
                    "trigger": ["count": "512"], "url": .secret("redis://:x@h"),
                ], level: .warning)
                == #"{"timestamp":"2026-11-24T11:00:34.000007Z","level":"warning","#
                + #""logger":"runtime","message":"batch \"sealed\"","#
                + #""metadata":{"cases":512,"late":false,"ratio":0.5,"#
                + #""sinks":["ready","answers"],"trigger":{"count":"512"},"url":"***"}}"# + "\n")
    }

    @Test(arguments: [LineFormat.text(isColoured: false), .json])
    func cannotBeBrokenOrSteeredByWhatItTells(format: LineFormat) {
        let hostile = "a\nb\r\u{1B}[2J\u{7F}\0\t"
        let text = line(format, hostile, ["k\n=": .string(hostile)])
        let controls = text.utf8.filter { $0 < 0x20 || $0 == 0x7F }
        #expect(controls == [0x0A])
        #expect(text.hasSuffix("\n"))
    }

    @Test func quotesValuesThatWouldBeMisread() {
        let text = line(
            .text(isColoured: false), "m",
            ["a": "", "b": "x=y", "c": #"say "hi" \o/"#, "d": ["e": "1", "f": "2"]])
        #expect(text.hasSuffix(#"m a="" b="x=y" c="say \"hi\" \\o/" d.e=1 d.f=2"# + "\n"))
    }

    @Test func hasColourOnlyWhereItIsAllowed() {
        #expect(line(.text(isColoured: true), "m", level: .error).contains("\u{1B}[31merror"))
        #expect(!line(.text(isColoured: false), "m", level: .error).contains("\u{1B}"))
        #expect(LineFormat(.auto, isTerminal: true, allowsColour: true) == .text(isColoured: true))
        #expect(
            LineFormat(.auto, isTerminal: true, allowsColour: false) == .text(isColoured: false))
        #expect(LineFormat(.auto, isTerminal: false, allowsColour: true) == .json)
        #expect(
            LineFormat(.text, isTerminal: false, allowsColour: true) == .text(isColoured: false))
        #expect(LineFormat(.json, isTerminal: true, allowsColour: true) == .json)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (4_107_542_399_999_999, "2100-02-28T23:59:59.999999Z"),
        (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
    ])
    func tellsTheTimeInUTC(microseconds: Int64, expected: String) {
        #expect(CivilTime(microsecondsSinceEpoch: microseconds).rfc3339(.microseconds) == expected)
    }

    @Test func staysWholeWhenManyTasksWrite() async throws {
        var ends: [Int32] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        let (reader, writer) = (ends[0], ends[1])
        // So that it takes only a part of a line, or nothing for now.
        _ = fcntl(writer, F_SETFL, O_NONBLOCK)
        let handler = StreamLogHandler(
            label: "pipe", stream: LogStream(descriptor: writer), format: .json, now: { 0 })
        let long = String(repeating: "x", count: 9000)  // more than PIPE_BUF
        let read = await withTaskGroup(of: [UInt8].self) { group in
            group.addTask { await withThread { readToEnd(reader) } }
            await withTaskGroup(of: Void.self) { writers in
                for _ in 0..<8 {
                    writers.addTask {
                        let logger = Logger(label: "pipe") { _ in handler }
                        for _ in 0..<10 { logger.info("\(long)") }
                    }
                }
            }
            close(writer)
            return await group.next()!
        }
        close(reader)
        let expected = line(.json, long, at: 0).replacing("runtime", with: "pipe")
        let lines = String(decoding: read, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 80)
        #expect(lines.allSatisfy { $0 + "\n" == expected })
    }
}

/// Runs what blocks on a thread of its own: the pool's few are for those who write.
private func withThread<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread { continuation.resume(returning: body()) }
    }
}

private func readToEnd(_ descriptor: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = unsafe read(descriptor, &buffer, buffer.count)
        if count <= 0 { return bytes }
        bytes += buffer[..<count]
    }
}

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

import Glibc
import Testing

@testable import Logging

@Suite("The pace of a log")
struct LogPaceTests {
    private static let second: Int64 = 1_000_000_000

    private func line(_ number: Int) -> [UInt8] { Array("\(number)".utf8) }

    /// What goes out from now on, asked as often as it wants to be: the times in milliseconds.
    private func drain(_ pace: inout LogPace, from start: Int64) -> [(Int64, String)] {
        var now = start
        var written: [(Int64, String)] = []
        while let step = pace.next(now: now) {
            switch step {
            case .write(let line):
                written.append((now / 1_000_000, String(decoding: line, as: UTF8.self)))
            case .tell(let count): written.append((now / 1_000_000, "left out \(count)"))
            case .wait(let nanoseconds): now += nanoseconds
            }
        }
        return written
    }

    /// One that has used up what it had to spare.
    private func started() -> LogPace {
        var pace = LogPace()
        for number in 0..<LogPace.spareAtStart { pace.add(line(number), isImportant: true) }
        #expect(drain(&pace, from: 0).allSatisfy { $0.0 == 0 })
        return pace
    }

    @Test("is two lines in any second, whatever comes, once a process has started")
    func bounded() {
        var pace = started()
        for number in 0..<9 { pace.add(line(number), isImportant: true) }
        let written = drain(&pace, from: 7 * Self.second / 2)
        #expect(written.map(\.1) == (0..<9).map { "\($0)" })
        for index in 2..<9 { #expect(written[index].0 - written[index - 2].0 >= 1000) }
        #expect(written.last!.0 - written[0].0 <= 4000)
    }

    @Test("has nothing to spare later, however quiet a process was")
    func late() {
        var pace = LogPace()
        pace.add(line(0), isImportant: true)
        #expect(drain(&pace, from: 0).count == 1)
        for number in 1..<5 { pace.add(line(number), isImportant: true) }
        let written = drain(&pace, from: 60 * Self.second)
        #expect(written.map { $0.0 - 60_000 } == [0, 0, 1000, 1000])
    }

    @Test("has lines that matter go first, in order, and leaves out the oldest that matter least")
    func order() {
        var pace = started()
        for number in 0..<300 { pace.add(line(number), isImportant: number % 3 == 0) }
        let written = drain(&pace, from: 0).map(\.1)
        #expect(written.prefix(100) == (0..<100).map { "\($0 * 3)" }[...])
        #expect(written.count == 201 && written.last == "left out 100")
        #expect(written[100] == "151")
    }

    @Test("lets nothing wait at the end")
    func end() {
        var pace = started()
        for number in 0..<300 { pace.add(line(number), isImportant: false) }
        let rest = pace.takeAll()
        #expect(rest.lines.count == 200 && rest.leftOut == 100)
        #expect(pace.isEmpty && pace.next(now: 0) == nil)
    }

    @Test(
        "of a stream is kept by a thread; what is critical, and who debugs, does not wait"
    )
    func stream() throws {
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        let stream = LogStream(descriptor: ends[1], isPaced: true)
        func logger(_ level: Logger.Level) -> Logger {
            Logger(label: "test", level: level) {
                StreamLogHandler(label: $0, stream: stream, format: .json)
            }
        }
        func read() -> Int {
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            let count = unsafe Glibc.read(ends[0], &buffer, buffer.count)
            return buffer[..<count].count { $0 == UInt8(ascii: "\n") }
        }
        for _ in 0..<15 { logger(.info).info("batch generated") }
        #expect(read() == 12)
        #expect(read() <= 2)
        logger(.debug).debug("details")
        #expect(read() >= 1)
        for _ in 0..<5 { logger(.info).warning("more") }
        logger(.info).critical("the end")
        var seen = 0
        while seen < 6 { seen += read() }
        #expect(seen <= 7)
        close(ends[0])
        close(ends[1])
    }
}

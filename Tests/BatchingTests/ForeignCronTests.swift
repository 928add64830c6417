import Concurrency
import Batching
import Glibc
import PipelineCore
import Testing

@Suite("A cron schedule, beside croniter's,")
struct ForeignCronTests {
    private static let script = String(
        #filePath.dropLast("ForeignCronTests.swift".count) + "Foreign/cron_ticks.py")

    @Test("ticks at the same times", arguments: [1, 2])
    func random(_ seed: Int) async throws {
        let python = try #require(
            unsafe getenv("PENSTOCK_TEST_PYTHON").map { unsafe String(cString: $0) },
            "PENSTOCK_TEST_PYTHON names a Python with what deploy/test-requirements.txt lists")
        let lines = try await WorkerThread().run {
            Self.output(of: "\(python) \(Self.script) \(seed) 400")
        }.split(separator: "\n")
        #expect(lines.count > 200)
        for line in lines {
            let parts = line.split(separator: "|").map(String.init)
            try #require(parts.count == 4, "\(line)")
            let schedule = CronSchedule(
                try CronExpression(parsing: parts[0]), in: try TimeZone(parsing: parts[1]))
            var last = Timestamp(microseconds: try #require(Int64(parts[2])) * 1_000_000)
            for tick in parts[3].split(separator: ",") {
                last = try #require(schedule.next(after: last))
                #expect(String(last.microseconds / 1_000_000) == tick, "\(line)")
            }
        }
    }

    private static func output(of command: String) -> String {
        guard let stream = unsafe popen(command, "r") else { return "" }
        defer { unsafe pclose(stream) }
        var all: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe fread(&part, 1, part.count, stream)
            if count == 0 { return String(decoding: all, as: UTF8.self) }
            all += part[..<count]
        }
    }
}

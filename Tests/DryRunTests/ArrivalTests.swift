import LocatedJSON
import PipelineCore
import ConfigurationDiagnostics
import ConfigurationFields
import Testing

@testable import DryRun
import DryRunReport

@Suite("Arrivals")
struct ArrivalTests {
    private let start = Timestamp(microseconds: 1_767_225_600_000_000)

    private func times(_ text: String, seed: UInt64 = 1) throws -> [Duration] {
        try ArrivalPattern(parsing: text).times(startingAt: start, RandomSource(seed: seed))
    }

    @Test("of a uniform pattern come at equal intervals")
    func uniform() throws {
        #expect(
            try times("uniform 4/min for 1min from 1h")
                == [3600, 3615, 3630, 3645].map { .seconds($0) })
    }

    @Test("of a burst come at once, or evenly over its time")
    func burst() throws {
        #expect(try times("burst 3 at 9h") == Array(repeating: .hours(9), count: 3))
        #expect(try times("burst 2 at 1h over 1min") == [.seconds(3600), .seconds(3630)])
    }

    @Test("of a Poisson pattern are as many as the rate says, and as irregular")
    func poisson() throws {
        let times = try times("poisson 1000/h for 100h")
        #expect(abs(times.count - 100_000) < 1_000)
        let gaps = zip(times, times.dropFirst()).map { ($1 - $0).inSeconds }
        let mean = gaps.reduce(0, +) / Double(gaps.count)
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(gaps.count)
        // An exponential distribution's standard deviation is its mean.
        #expect(abs(variance.squareRoot() / mean - 1) < 0.02)
        #expect(times == times.sorted() && times.last! < .hours(100))
    }

    @Test("of a daily pattern are nine times as many at 16:00 as at 04:00")
    func daily() throws {
        let times = try times("daily 240000/d for 10d")
        #expect(abs(times.count - 2_400_000) < 10_000)
        func count(in hour: Int64) -> Double {
            Double(times.count { $0.components.seconds / 3600 % 24 == hour })
        }
        let ratio = (count(in: 15) + count(in: 16)) / (count(in: 3) + count(in: 4))
        #expect(abs(ratio - 8.7) < 0.5)
    }

    @Test(
        "are refused when the pattern can't be read",
        arguments: [
            "", "poisson", "poisson 5/h", "poisson x/h for 1h", "poisson 5/year for 1h",
            "poisson 5/h for 1h for 2h", "poisson 5/h at 1h", "burst 0", "uniform 1/h for 1s",
            "uniform 1000000/s for 24h", "noon 5/h for 1h", "poisson 5/h for",
            "poisson -5/h for 1h",
        ])
    func refused(_ text: String) {
        #expect(throws: Refusal.self) { try ArrivalPattern(parsing: text) }
    }

    @Test("are added up in order of time")
    func sum() throws {
        let trace = try Rehearsal.trace("burst 2 at 2h", "uniform 1/h for 4h")
        #expect(trace.arrivals.map(\.at) == [0, 1, 2, 2, 2, 3].map { .hours($0) })
        #expect(trace.length == .hours(4))
    }

    @Test("of a recorded trace are read as kcat prints them, and by their RFC 3339 times")
    func recorded() throws {
        let text = """
            {"topic":"t","ts":1767225601500,"key":"k","payload":"{\\"a\\":1}"}

            {"at":"2026-01-01T00:00:00.500Z","payload":{"b": 2}}
            """
        let trace = try RecordedArrivals.read(Array(text.utf8), file: "trace.jsonl")
        #expect(trace.start == start.advanced(by: .milliseconds(500)))
        #expect(trace.arrivals.map(\.at) == [.zero, .seconds(1)])
        let payloads = trace.arrivals.map { String(decoding: $0.message.payload, as: UTF8.self) }
        #expect(payloads == [#"{"b":2}"#, #"{"a":1}"#])
        #expect(trace.arrivals[1].message.key.map(Array.init) == Array("k".utf8))
    }

    @Test("of a recorded trace that can't be read are named by file, line and column")
    func unreadable() {
        let text = """
            {"at":"2026-01-01T00:00:00Z","payload":1}
            {"at":"tomorrow","payload":1}
            {"payload":1}
            {"at":"2026-01-01T00:00:00Z"}
            {"at":
            """
        #expect {
            try RecordedArrivals.read(Array(text.utf8), file: "trace.jsonl")
        } throws: { error in
            let list = (error as? Diagnostics)?.list ?? []
            return list.map { $0.position?.line } == [2, 3, 4, 5]
                && list.allSatisfy { $0.file == "trace.jsonl" }
                && list.map(\.code) == [.wrongType, .missingKey, .missingKey, .invalidJSON]
        }
    }
}

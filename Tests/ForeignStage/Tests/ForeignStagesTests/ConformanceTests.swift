import PipelineCore
import PipelineTesting
import LocatedJSON
import Testing

@testable import ForeignStages

@Suite("Stages of somebody else")
struct ConformanceTests {
    private static func record(_ number: Int) -> Record {
        var record = Record.testing(number)
        let kind = number.isMultiple(of: 2) ? "PAYMENT" : "VIEW"
        record.payload = Array("\(kind) \(number)".utf8)[...]
        return record
    }

    @Test("a keep is a transform", arguments: TransformConformance.checks, ["dropped", "refused"])
    func keep(_ check: TransformConformance.Check, others: String) async throws {
        let stage = try KeepStage.decode(["containing": "PAYMENT", "others": .string(others)])
        try await check.run(
            TransformConformance(record: Self.record) {
                guard
                    case .transform(let transform) = try stage.build(
                        .testing(clock: ManualClock().clock))
                else { throw ConformanceFailure("it is no transform") }
                return transform
            })
    }

    @Test("a tally is a sink of records", arguments: RecordSinkConformance.checks)
    func tally(_ check: RecordSinkConformance.Check) async throws {
        let counts = Counts()
        let stage = try TallyStage.decode(["to": "counts"])
        let instance = try stage.build(
            .testing(clock: ManualClock().clock, resources: ["counts": counts]))
        guard case .recordSink(let sink) = instance else {
            throw ConformanceFailure("it is no sink of records")
        }
        try await check.run(RecordSinkConformance(sink) { try counts.total() })
    }
}

/// Lines in memory, and what the counts in them add up to.
private struct Counts: LineOutput {
    private let lines = Journal<Bytes>()

    func append(_ records: [OutgoingRecord]) async throws {
        for record in records { lines.note(record.payload) }
    }
    func probe() async throws {}
    func close() async {}

    func total() throws -> Int {
        try lines.entries.reduce(0) { sum, line in
            let json = try JSON(parsing: String(decoding: line, as: UTF8.self))
            return sum + (Int(json["records"]?.scalarText ?? "") ?? 0)
        }
    }
}

import ConversionReports
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import Testing

@Suite("The generator conversion")
struct ConversionGeneratorTests {
    /// Canonical parameters, as the codec writes them.
    static func item(_ number: Int, _ query: ConversionQuery) throws -> Case {
        var request = ReportRequest()
        let id = UUID(high: 0x4000, low: 0x8000_0000_0000_0000 | UInt64(number))
        request.caseID = id.description
        request.productID = query.productID
        request.checkoutID = query.checkoutID
        request.period = Period()
        request.period?.startTime = time(query.start)
        request.period?.endTime = time(query.end)
        let record = Record.of(try request.serializedBytes(), contentType: "application/x-protobuf")
        let decoded = try ReportRequestDecoder().decode(record).get()
        return Case(
            number: Int64(number), id: id, deadline: Timestamp(microseconds: 0),
            parameters: decoded.body)
    }

    static func time(_ time: Timestamp) -> Google_Protobuf_Timestamp {
        var message = Google_Protobuf_Timestamp()
        message.seconds = time.microseconds / 1_000_000
        message.nanos = Int32(time.microseconds % 1_000_000 * 1000)
        return message
    }

    static func batch(_ cases: [Case]) -> Batch {
        Batch(
            number: 1, token: 1, attempts: 1, closedBy: "count",
            sealedAt: Timestamp(microseconds: 0), cases: cases)
    }

    @Test("answers 512 cases in their order from one snapshot", arguments: StoreKind.allCases)
    func fullBatch(kind: StoreKind) async throws {
        try await kind.withStore { store in
            var counted = CountedEvents(seed: 3)
            try await store.append(counted.make(2000), advances: [])
            let queries = (0..<512).map { _ in counted.query() }
            let cases = try queries.enumerated().map { try Self.item($0, $1) }
            let generated = try await ConversionGenerator(store: store).generate(Self.batch(cases))
            try #require(generated.results.count == 512)
            #expect((generated.rowsRead ?? 0) > 0)
            for (index, result) in generated.results.enumerated() {
                guard case .report(let bytes) = result else {
                    Issue.record("case \(index) failed")
                    continue
                }
                let report = try Report(serializedBytes: bytes)
                let counts = counted.count(queries[index])
                #expect(report.caseID == cases[index].id.description)
                #expect(report.productID == queries[index].productID)
                #expect(report.checkoutID == queries[index].checkoutID)
                #expect(report.period?.startTime == Self.time(queries[index].start))
                #expect(report.period?.endTime == Self.time(queries[index].end))
                #expect(report.viewsCount == counts.views)
                #expect(report.paymentsCount == counts.payments)
                #expect(report.conversionRatio == counts.ratio)
                #expect(report.dataAsOf == Self.time(generated.dataAsOf))
            }
        }
    }

    @Test(
        "fails a case whose parameters can't be read, and no other", arguments: StoreKind.allCases)
    func poison(kind: StoreKind) async throws {
        try await kind.withStore { store in
            var counted = CountedEvents(seed: 3)
            try await store.append(counted.make(50), advances: [])
            var cases = try (0..<5).map { try Self.item($0, counted.query()) }
            cases[1].parameters = [0xFF, 0xFF]
            cases[3].parameters = []
            let generated = try await ConversionGenerator(store: store).generate(Self.batch(cases))
            for (index, result) in generated.results.enumerated() {
                switch result {
                case .report(let bytes):
                    #expect(index % 2 == 0)
                    #expect(
                        try Report(serializedBytes: bytes).caseID == cases[index].id.description)
                case .failure(let code, let reason):
                    #expect(index % 2 == 1)
                    #expect(code == "invalid-parameters" && !reason.isEmpty)
                }
            }
            let none = try await ConversionGenerator(store: store).generate(Self.batch([cases[1]]))
            #expect(none.results.count == 1)
        }
    }
}

/// A store whose reads pass a gate.
struct GatedStore: ReportStore {
    let inner: any ReportStore
    let gate: GenerationGate

    func read(_ queries: [ConversionQuery]) async throws -> ConversionReading {
        try await gate.pass(queries.map(\.productID))
        return try await inner.read(queries)
    }

    func migrate() async throws { try await inner.migrate() }
    func append(_ events: EventBatch, advances: [PositionAdvance]) async throws {
        try await inner.append(events, advances: advances)
    }
    func tryAppending(_ events: EventBatch) async throws { try await inner.tryAppending(events) }
    func fold(limit: Int) async throws -> FoldResult { try await inner.fold(limit: limit) }
    func unfolded(limit: Int) async throws -> Int { try await inner.unfolded(limit: limit) }
    func owned(byPipeline pipeline: String, stage: String) -> any ReportStore {
        GatedStore(inner: inner.owned(byPipeline: pipeline, stage: stage), gate: gate)
    }
    func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions { try await inner.positions(of: log, initial: initial) }
    func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
        try await inner.keep(witnesses, of: source)
    }
    func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws { try await inner.restart(log, after: source, at: starts) }
}

/// Time on which nobody sleeps: it jumps to where they want to wake up.
final class FakeJumpingTime: TimeSource {
    private let manual = ManualClock()
    var now: Instant { manual.now }
    var timestamp: Timestamp { manual.timestamp }

    func sleep(until deadline: Instant) async throws {
        try Task.checkCancellation()
        manual.advance(by: max(.zero, now.duration(to: deadline)))
    }
}

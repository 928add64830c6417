import Concurrency
import ConversionReports
import Logging
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import ReportService
import Testing

@Suite("A generator of conversion reports", .timeLimit(.minutes(2)))
struct GeneratorConformanceTests {
    @Test(arguments: GeneratorConformance.checks, GeneratorSetting.all)
    func keepsThePromisesOfAGenerator(
        check: GeneratorConformance.Check, setting: GeneratorSetting
    ) async throws {
        try await setting.store.withStore { store in
            let gate = GenerationGate()
            let local = ConversionGenerator(store: GatedStore(inner: store, gate: gate))
            try await setting.generator.withGenerator(over: local) { generator in
                try await check.run(
                    GeneratorConformance.Subject(
                        generator: generator, gate: gate,
                        store: { try await store.append(EventBatch($0), advances: []) },
                        encode: { try ReportRequest(of: $0, $1).serializedBytes()[...] },
                        decode: { try GeneratorAnswer(Report(serializedBytes: $0)) }))
            }
        }
    }

    @Test("answers from another process with the same bytes as from this one")
    func sameBytes() async throws {
        try await StoreKind.sqlite.withStore { store in
            var counted = CountedEvents(seed: 3)
            try await store.append(counted.make(500), advances: [])
            let recorder = RecordingGenerator(inner: ConversionGenerator(store: store))
            var cases = try (0..<50).map {
                try ConversionGeneratorTests.item($0, counted.query())
            }
            cases[7].parameters = [0xFF]
            try await GeneratorKind.remote.withGenerator(over: recorder) { remote in
                let answer = try await remote.generate(ConversionGeneratorTests.batch(cases))
                let local = try #require(await recorder.last)
                #expect(answer.dataAsOf == local.dataAsOf)
                #expect(answer.rowsRead == local.rowsRead)
                // The case that can't be read is not sent.
                var sent = local.results[...]
                for (index, result) in answer.results.enumerated() where index != 7 {
                    #expect(try result.bytes == sent.removeFirst().bytes, "case \(index)")
                }
                #expect(sent.isEmpty)
            }
        }
    }
}

/// A generator over a store.
struct GeneratorSetting: Sendable, CustomTestStringConvertible {
    let generator: GeneratorKind
    let store: StoreKind

    static let all = GeneratorKind.allCases.flatMap { generator in
        StoreKind.allCases.map { GeneratorSetting(generator: generator, store: $0) }
    }
    var testDescription: String { "\(generator.rawValue) on \(store.rawValue)" }
}

/// Keeps what the generator answered last.
actor RecordingGenerator: Generator {
    private let inner: any Generator
    private(set) var last: GeneratedBatch?

    init(inner: any Generator) { self.inner = inner }

    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let generated = try await inner.generate(batch)
        last = generated
        return generated
    }
}

extension CaseResult {
    fileprivate var bytes: Bytes {
        get throws {
            guard case .report(let bytes) = self else { throw ConformanceFailure("no report") }
            return bytes
        }
    }
}

extension EventBatch {
    fileprivate init(_ events: [GeneratorEvent]) {
        self.init()
        let random = RandomSource()
        for event in events {
            append(
                id: random.uuid(), kind: event.isPayment ? .payment : .view,
                productID: event.product, checkoutID: event.checkout, occurredAt: event.time,
                count: event.count)
        }
    }
}

extension ReportRequest {
    fileprivate init(of id: UUID, _ question: GeneratorQuestion) {
        self.init()
        caseID = id.description
        productID = question.product
        checkoutID = question.checkout
        period = .with {
            $0.startTime = ConversionGeneratorTests.time(question.start)
            $0.endTime = ConversionGeneratorTests.time(question.end)
        }
    }
}

extension GeneratorAnswer {
    fileprivate init(_ report: Report) throws {
        func time(_ time: Google_Protobuf_Timestamp?) throws -> Timestamp {
            let time = try #require(time)
            return Timestamp(
                microseconds: time.seconds * 1_000_000 + Int64(time.nanos) / 1000)
        }
        self.init(
            caseID: try #require(UUID(report.caseID)),
            question: GeneratorQuestion(
                product: report.productID, checkout: report.checkoutID,
                start: try time(report.period?.startTime), end: try time(report.period?.endTime)),
            views: report.viewsCount, payments: report.paymentsCount,
            ratio: report.conversionRatio, dataAsOf: try time(report.dataAsOf))
    }
}

/// Where reports are generated: what holds in the process must hold for a service.
enum GeneratorKind: String, CaseIterable, CustomTestStringConvertible {
    case inProcess, remote

    var testDescription: String { rawValue }

    /// Runs `body` with the generator; a remote one has a server of its own on loopback.
    func withGenerator(
        over local: any Generator, _ body: (any Generator) async throws -> Void
    ) async throws {
        switch self {
        case .inProcess: try await body(local)
        case .remote:
            try await Self.withServer(of: local) { server in
                let addresses = try GeneratorAddresses("grpc://127.0.0.1:\(server.port)")
                try await body(
                    RemoteGenerator(
                        addresses, timeout: .seconds(120), clock: PipelineClock(FakeJumpingTime()),
                        random: RandomSource(seed: 1),
                        outages: Outages(clock: .system, logger: LogCapture().logger())))
            }
        }
    }

    static func withServer(
        of generator: any Generator, _ body: (ReportGeneratorServer) async throws -> Void
    ) async throws {
        let server = ReportGeneratorServer(
            configuration: .init(address: "127.0.0.1:0"), generator: generator, clock: .system,
            logger: LogCapture().logger())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await server.isListening.wait()
            try await body(server)
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}

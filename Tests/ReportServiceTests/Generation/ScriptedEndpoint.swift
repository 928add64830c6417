import Concurrency
import GRPCTransport
import Logging
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
@testable import ReportService
import Synchronization

/// An endpoint that does what a test says, and notes what it is asked.
final class ScriptedEndpoint: GeneratorEndpoint {
    typealias Answer =
        @Sendable (GenerateReportsRequest) async throws(GRPCStatusError) -> GenerateReportsResponse

    let address: String
    private let health: Result<Bool, GRPCStatusError>
    private let answer: Answer
    private let noted = Mutex<(checks: Int, timeouts: [Duration])>((0, []))

    init(
        _ address: String, health: Result<Bool, GRPCStatusError> = .success(true),
        _ answer: @escaping Answer = { wanted in .answering(wanted) }
    ) {
        self.address = address
        self.health = health
        self.answer = answer
    }

    /// The time that each call was given.
    var timeouts: [Duration] { noted.withLock { $0.timeouts } }
    var checks: Int { noted.withLock { $0.checks } }

    func isServing(timeout: Duration) async throws(GRPCStatusError) -> Bool {
        noted.withLock { $0.checks += 1 }
        return try health.get()
    }

    func generate(
        _ request: GenerateReportsRequest, timeout: Duration
    ) async throws(GRPCStatusError) -> GenerateReportsResponse {
        noted.withLock { $0.timeouts.append(timeout) }
        return try await answer(request)
    }
}

extension GenerateReportsResponse {
    static let sampleTime = Google_Protobuf_Timestamp(secondsSince1970: 1_793_318_400)

    /// A report of one view for each definition, last one first: any order is allowed.
    static func answering(_ request: GenerateReportsRequest) -> GenerateReportsResponse {
        .with { response in
            response.dataAsOf = sampleTime
            response.rowsRead = 9
            response.outcomes = request.definitions.reversed().map { definition in
                .with {
                    $0.caseID = definition.caseID
                    $0.result = .report(
                        .with {
                            $0.caseID = definition.caseID
                            $0.productID = definition.productID
                            $0.checkoutID = definition.checkoutID
                            $0.period = definition.period
                            $0.viewsCount = 1
                            $0.dataAsOf = sampleTime
                        })
                }
            }
        }
    }
}

extension ReportDefinition {
    static func sample(_ number: Int) -> ReportDefinition {
        .with {
            $0.caseID = UUID(high: 0x4000, low: 0x8000_0000_0000_0000 | UInt64(number)).description
            $0.productID = "product-\(number)"
            $0.period = .with {
                $0.startTime = Google_Protobuf_Timestamp(secondsSince1970: 1_793_000_000)
                $0.endTime = Google_Protobuf_Timestamp(secondsSince1970: 1_793_100_000)
            }
        }
    }
}

extension Batch {
    /// So many cases, each about a product of its own.
    static func sample(_ count: Int, attempts: Int = 1) throws -> Batch {
        Batch(
            number: 12, token: 1, attempts: attempts, closedBy: "count",
            sealedAt: Timestamp(microseconds: 0),
            cases: try (0..<count).map { number in
                let definition = ReportDefinition.sample(number)
                let request = ReportRequest.with {
                    $0.caseID = definition.caseID
                    $0.productID = definition.productID
                    $0.period = definition.period
                    $0.requester = "somebody"
                }
                return Case(
                    number: Int64(number), id: UUID(definition.caseID)!,
                    deadline: Timestamp(microseconds: 0),
                    parameters: try request.serializedBytes()[...])
            })
    }
}

/// Starts a generator's server on loopback, and lends a client of it.
enum ServedGenerator {
    static func server(
        of generator: any Generator, observe: @escaping @Sendable (ServedRun) -> Void = { _ in }
    ) -> ReportGeneratorServer {
        ReportGeneratorServer(
            configuration: .init(address: "127.0.0.1:0"), generator: generator, clock: .system,
            logger: LogCapture().logger(), observe: observe)
    }

    static func with(
        _ generator: any Generator, observe: @escaping @Sendable (ServedRun) -> Void = { _ in },
        _ body: (GRPCClient, String) async throws -> Void
    ) async throws {
        let server = server(of: generator, observe: observe)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await server.isListening.wait()
            let address = "127.0.0.1:\(server.port)"
            let client = try GRPCClient(target: address)
            try await body(client, address)
            await client.shutdown()
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}

/// Answers every case with one view, or with what a test says.
struct ScriptedReportGenerator: Generator {
    var failing: Set<String> = []
    var error: PipelineError?
    var report: Bytes?

    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        if let error { throw error }
        let results: [CaseResult] = try batch.cases.map { item in
            let request = try ReportRequest(serializedBytes: item.parameters)
            if failing.contains(request.productID) {
                return .failure(code: "no-data", reason: "nothing there")
            }
            if let report { return .report(report) }
            let made = Report.with {
                $0.caseID = item.id.description
                $0.productID = request.productID
                $0.checkoutID = request.checkoutID
                $0.period = request.period
                $0.viewsCount = 1
                $0.dataAsOf = GenerateReportsResponse.sampleTime
            }
            return .report(try made.serializedBytes()[...])
        }
        return GeneratedBatch(
            results: results, dataAsOf: Timestamp(microseconds: 1_793_318_400_000_000), rowsRead: 5)
    }
}

/// Waits until it is let go.
struct GatedGenerator: Generator {
    let reached = AsyncEvent()
    let released = AsyncEvent()
    let cancelled = AsyncEvent()

    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        reached.set()
        do { try await released.wait() } catch {
            cancelled.set()
            throw error
        }
        return try await ScriptedReportGenerator().generate(batch)
    }
}

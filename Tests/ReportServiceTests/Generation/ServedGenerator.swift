import Concurrency
import PipelineTesting
import GRPCTransport
import Logging
import PipelineCore
import Protobuf
import ReportMessages

@testable import ReportService

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

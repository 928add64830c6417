import Concurrency
import GRPCTransport
import Logging
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import Testing

@testable import ReportService

@Suite("The generator as a service", .timeLimit(.minutes(5)))
struct ReportGeneratorServerTests {
    private let method = ReportGeneratorServiceMethods.generateReports

    private func status(
        _ client: GRPCClient, _ request: GenerateReportsRequest, timeout: Duration = .seconds(60)
    ) async throws -> GRPCStatusError {
        do {
            _ = try await client.call(method, request, timeout: timeout, waitForReady: true)
        } catch { return error }
        throw ConformanceFailure("it answered")
    }

    @Test("answers each definition in order, and says what the run cost")
    func answers() async throws {
        let runs = Journal<ServedRun>()
        try await ServedGenerator.with(ScriptedReportGenerator(), observe: runs.note) { client, _ in
            let request = GenerateReportsRequest.with {
                $0.batchID = "12"
                $0.definitions = (0..<3).map(ReportDefinition.sample)
            }
            let response = try await client.call(
                method, request, timeout: .seconds(60), waitForReady: true)
            #expect(response.outcomes.map(\.caseID) == request.definitions.map(\.caseID))
            #expect(response.rowsRead == 5)
            #expect(response.dataAsOf == GenerateReportsResponse.sampleTime)
        }
        guard case .generated(3, 0, 5, _)? = runs.entries.first else {
            throw ConformanceFailure("the run was not observed")
        }
    }

    @Test("makes what is wrong with one definition that case's error")
    func malformedDefinition() async throws {
        try await ServedGenerator.with(ScriptedReportGenerator(failing: ["product-1"])) {
            client, _ in
            var request = GenerateReportsRequest()
            request.definitions = (0..<4).map(ReportDefinition.sample)
            request.definitions[2].caseID = "not a UUID"
            request.definitions[3].caseID = ""
            let response = try await client.call(
                method, request, timeout: .seconds(60), waitForReady: true)
            #expect(response.outcomes.map(\.caseID) == request.definitions.map(\.caseID))
            let codes = response.outcomes.map { outcome in
                if case .error(let error)? = outcome.result { error.code } else { "" }
            }
            #expect(codes == ["", "NO_DATA", "INVALID_PARAMETERS", "INVALID_PARAMETERS"])
        }
    }

    @Test("refuses a malformed call with everything that is wrong with it")
    func malformedCall() async throws {
        try await ServedGenerator.with(ScriptedReportGenerator()) { client, _ in
            let empty = try await status(
                client, .with { $0.batchID = String(repeating: "b", count: 201) })
            #expect(empty.code == .invalidArgument)
            #expect(empty.message.contains("batch_id has 201 bytes"))
            #expect(empty.message.contains("definitions is empty"))
            let details = try Google_Rpc_Status(serializedBytes: empty.details)
            let bad = try #require(
                try details.details.first?.unpack(as: Google_Rpc_BadRequest.self))
            #expect(bad.fieldViolations.map(\.field) == ["batch_id", "definitions"])

            let twice = try await status(
                client,
                .with {
                    $0.definitions = [0, 1, 0, 1].map(ReportDefinition.sample)
                    $0.definitions[2].caseID = $0.definitions[2].caseID.uppercased()
                })
            #expect(twice.code == .invalidArgument)
            #expect(twice.message.contains("definitions[2].case_id is that of definitions[0] too"))
            #expect(twice.message.contains("definitions[3].case_id is that of definitions[1] too"))
        }
    }

    @Test("takes the most definitions that are allowed, of the longest, and not one more")
    func limits() async throws {
        try await ServedGenerator.with(ScriptedReportGenerator()) { client, address in
            var request = GenerateReportsRequest()
            request.definitions = (0..<GenerationLimits.definitions).map { number in
                var definition = ReportDefinition.sample(number)
                definition.productID = String(repeating: "p", count: 200)
                definition.checkoutID = String(repeating: "c", count: 200)
                return definition
            }
            let endpoint = try GRPCGeneratorEndpoint(address)
            let response = try await endpoint.generate(request, timeout: .seconds(60))
            #expect(response.outcomes.count == GenerationLimits.definitions)
            request.definitions = (0...GenerationLimits.definitions).map { _ in .init() }
            let refused = try await status(client, request)
            #expect(refused.code == .invalidArgument)
            #expect(refused.message.contains("definitions has 10001; 10000 are allowed"))
        }
    }

    @Test("cancels the run whose deadline has passed")
    func deadline() async throws {
        let held = GatedGenerator()
        try await ServedGenerator.with(held) { client, _ in
            let request = GenerateReportsRequest.with { $0.definitions = [.sample(0)] }
            // On a busy machine a short deadline may pass before the run begins.
            var timeout = Duration.milliseconds(200)
            while !held.reached.isSet {
                let error = try await status(client, request, timeout: timeout)
                #expect(error.code == .deadlineExceeded)
                timeout *= 2
            }
            try await held.cancelled.wait()
        }
    }

    @Test(
        "says by its status what may be done about a failed run",
        arguments: [
            (PipelineError.retryable("store-away", "away"), GRPCStatusCode.unavailable),
            (.permanent("overflow", "away"), .invalidArgument),
            (.fatal("no-table", "away"), .failedPrecondition),
            (.fenced("taken", "away"), .aborted),
        ])
    func statuses(error: PipelineError, code: GRPCStatusCode) async throws {
        try await ServedGenerator.with(ScriptedReportGenerator(error: error)) { client, _ in
            let found = try await status(client, .with { $0.definitions = [.sample(0)] })
            #expect(found.code == code && found.message == "away")
            #expect(found.pipelineCode == error.code)
        }
    }

    @Test("refuses to pass on what is no answer of a generator")
    func brokenGenerator() async throws {
        try await ServedGenerator.with(ScriptedReportGenerator(report: [0xFF])) { client, _ in
            let found = try await status(client, .with { $0.definitions = [.sample(0)] })
            #expect(found.code == .internal && found.message.contains("is no report"))
        }
    }

    @Test("lets calls in flight finish when it is stopped, and says that it does not serve")
    func gracefulStop() async throws {
        let held = GatedGenerator()
        let server = ServedGenerator.server(of: held)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await server.isListening.wait()
            let client = try GRPCClient(target: "127.0.0.1:\(server.port)")
            try await withThrowingTaskGroup(of: Void.self) { calls in
                calls.addTask {
                    let response = try await client.call(
                        method, .with { $0.definitions = [.sample(0)] }, timeout: .seconds(60),
                        waitForReady: true)
                    #expect(response.outcomes.count == 1)
                }
                try await held.reached.wait()
                let watch = try client.stream(
                    Grpc_Health_V1_HealthMethods.watch, timeout: .seconds(60))
                try await watch.send(
                    .with { $0.service = ReportGeneratorServiceMethods.serviceName })
                #expect(try await watch.receive()?.status == .serving)
                group.cancelAll()
                #expect(try await watch.receive()?.status == .notServing)
                held.released.set()
                try await calls.waitForAll()
            }
            try await group.waitForAll()
            await client.shutdown()
        }
    }

    @Test("says where it can't listen")
    func addressInUse() async throws {
        try await ServedGenerator.with(ScriptedReportGenerator()) { client, address in
            let second = ReportGeneratorServer(
                configuration: .init(address: address), generator: ScriptedReportGenerator(),
                clock: .system, logger: LogCapture().logger())
            let error = await #expect(throws: PipelineError.self) { try await second.run() }
            #expect(error?.code == "address-in-use")
        }
    }
}

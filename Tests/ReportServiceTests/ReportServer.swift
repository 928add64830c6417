import Concurrency
import GRPCTransport
import Identity
import Metrics
import PipelineCore
import PipelineTesting
import Protobuf
import ReportMessages
import Synchronization

@testable import ReportService

/// A port that answers what a test says.
final class ScriptedPort: RequestPort {
    let submitted = Journal<Record>()
    private let answer: @Sendable (Record) async throws -> SubmissionResult
    init(
        _ answer: @escaping @Sendable (Record) async throws -> SubmissionResult = { _ in .accepted }
    ) {
        self.answer = answer
    }
    func submit(_ record: Record) async throws -> SubmissionResult {
        submitted.note(record)
        return try await answer(record)
    }
}

/// Renders an outcome as an answer to GetReport, with the case's number of views.
struct FakeAnswerEncoder: OutcomeEncoder {
    func announcement(_ outcome: Outcome) throws -> OutgoingRecord {
        OutgoingRecord(key: nil, payload: [])
    }
    func cached(_ outcome: Outcome) throws -> Bytes {
        try GetReportResponse.with {
            $0.caseID = outcome.caseID.description
            $0.revision = Int32(outcome.revision)
            $0.requester = outcome.requester ?? ""
            $0.result =
                outcome.state == .succeeded
                ? .report(
                    .with {
                        $0.caseID = outcome.caseID.description
                        $0.viewsCount = outcome.caseNumber
                    })
                : .status(
                    .with {
                        $0.state = ReportState(outcome.state)
                        $0.message = outcome.reason ?? ""
                    })
        }.serializedBytes()[...]
    }
    func recognize(_ bytes: Bytes, of id: UUID) -> CachedAnswer {
        .lasting(revision: 1)
    }
}

/// A shared cache that counts what it is asked for.
final class FakeOutcomeCache: OutcomeCache {
    let lookups = Journal<UUID>()
    let stored = Journal<UUID>()
    private let entries = Mutex<[UUID: Bytes]>([:])

    func put(_ number: Int) throws {
        let encoded = try FakeAnswerEncoder().cached(.testing(number))
        entries.withLock { $0[.testing(number)] = encoded }
    }
    func lookup(_ ids: [UUID]) async -> [Bytes?] {
        for id in ids { lookups.note(id) }
        return entries.withLock { entries in ids.map { entries[$0] } }
    }
    func store(_ outcomes: [Outcome]) async {
        for outcome in outcomes { stored.note(outcome.caseID) }
    }
}

/// The API on a loopback port, with a client, until `body` returns.
///
/// - Parameters:
///   - ending: lets it end before.
///   - isAddressKept: whether it does so for a reload.
func withReportServer(
    port: ScriptedPort = ScriptedPort(), cases: FakeCases = FakeCases(),
    cache: FakeOutcomeCache? = nil,
    clock: PipelineClock = .system, metrics: MetricRegistry = MetricRegistry(),
    credentials: CredentialSources = CredentialSources(), ending: AsyncEvent? = nil,
    isAddressKept: Bool = false,
    _ body: (GRPCClient) async throws -> Void
) async throws {
    var configuration = ReportAPI.Configuration(address: "127.0.0.1:0")
    configuration.credentials = credentials
    let api = ReportAPI(
        configuration: configuration, encoder: FakeAnswerEncoder(), clock: clock,
        random: RandomSource(seed: 1), logger: StageContext.testing(clock: .system).logger,
        metrics: metrics)
    try api.attach(port, reads: ReadPath(cases: cases, cache: cache, changes: cases))
    api.keepAddress(drain: .seconds(60)) { isAddressKept }
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            try await withThrowingTaskGroup(of: Void.self) { serving in
                serving.addTask { try await api.run(grace: ending == nil ? .zero : .seconds(60)) }
                if let ending {
                    try await ending.wait()
                    serving.cancelAll()
                }
                try await serving.waitForAll()
            }
        }
        try await api.isListening.wait()
        let client = try GRPCClient(target: "127.0.0.1:\(api.port)")
        let result = await Result { try await body(client) }
        await client.shutdown()
        group.cancelAll()
        try await group.waitForAll()
        try result.get()
    }
}

extension Result where Failure == any Error {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

extension GRPCClient {
    func get(_ id: String) async throws(GRPCStatusError) -> GetReportResponse {
        try await call(
            ReportServiceMethods.getReport, GetReportRequest.with { $0.caseID = id },
            timeout: .seconds(240), waitForReady: true)
    }
    func get(_ number: Int) async throws(GRPCStatusError) -> GetReportResponse {
        try await get(UUID.testing(number).description)
    }
    func cancel(_ id: String) async throws(GRPCStatusError) -> CancelReportResponse {
        try await call(
            ReportServiceMethods.cancelReport, CancelReportRequest.with { $0.caseID = id },
            timeout: .seconds(240), waitForReady: true)
    }
    func create(
        _ requests: [ReportRequest]
    ) async throws(GRPCStatusError) -> BatchCreateReportsResponse {
        try await call(
            ReportServiceMethods.batchCreateReports,
            BatchCreateReportsRequest.with { $0.requests = requests }, timeout: .seconds(240),
            waitForReady: true)
    }
    func refresh(_ id: String) async throws(GRPCStatusError) -> RefreshReportResponse {
        try await call(
            ReportServiceMethods.refreshReport, RefreshReportRequest.with { $0.caseID = id },
            timeout: .seconds(240), waitForReady: true)
    }
    func list(_ request: ListReportsRequest) async throws(GRPCStatusError) -> ListReportsResponse {
        try await call(
            ReportServiceMethods.listReports, request, timeout: .seconds(240), waitForReady: true)
    }
    func get(_ ids: [String]) async throws(GRPCStatusError) -> BatchGetReportsResponse {
        try await call(
            ReportServiceMethods.batchGetReports,
            BatchGetReportsRequest.with { $0.caseIds = ids }, timeout: .seconds(240),
            waitForReady: true)
    }
    func create(_ request: ReportRequest?) async throws(GRPCStatusError) -> CreateReportResponse {
        try await call(
            ReportServiceMethods.createReport,
            CreateReportRequest.with { $0.request = request }, timeout: .seconds(240),
            waitForReady: true)
    }
    func wait(
        _ id: String, _ timeout: Google_Protobuf_Duration? = nil
    ) async throws(GRPCStatusError) -> WaitReportResponse {
        try await call(
            ReportServiceMethods.waitReport,
            WaitReportRequest.with {
                $0.caseID = id
                $0.timeout = timeout
            }, timeout: .seconds(240), waitForReady: true)
    }
}

extension GetReportResponse {
    var report: Report? { if case .report(let report)? = result { report } else { nil } }
    var status: ReportStatus? { if case .status(let status)? = result { status } else { nil } }
}

/// The status that a call failed with.
func failure<T>(of call: () async throws(GRPCStatusError) -> T) async -> GRPCStatusError? {
    do {
        _ = try await call()
        return nil
    } catch { return error }
}

extension GRPCStatusError {
    /// That of its `google.rpc.ErrorInfo`.
    var reason: String? {
        (try? Google_Rpc_Status(serializedBytes: details))?.details.lazy
            .compactMap { try? $0.unpack(as: Google_Rpc_ErrorInfo.self) }
            .first { $0.domain == "penstock" }?.reason
    }
}

internal import AdminMessages
internal import CommandLineInterface
internal import GRPCTransport
internal import PipelineCore
internal import Protobuf

/// What operators do, asked of the admin service of a process that runs the pipeline.
struct RemoteOperations: StageOperations {
    let pipeline: String
    /// Empty until an answer names it.
    let stage: String
    private let admin: AdminClient

    /// - Parameters:
    ///   - pipeline: its name.
    ///   - stage: the accumulate stage; the pipeline's only one where it is `nil`.
    /// - Throws: ``CommandFailure`` `usage` for what is no address.
    init(_ address: AdminAddress, pipeline: String, stage: String?) throws {
        self.pipeline = pipeline
        self.stage = stage ?? ""
        admin = try AdminClient(address)
    }

    func close() async {}

    func view(_ selection: BatchSelection, limit: Int) async throws -> StageView {
        let response = try await admin.call(
            AdminAdminServiceMethods.getStage,
            .with {
                $0.pipeline = pipeline
                $0.stage = stage
                $0.unfinishedOnly = selection.isUnfinishedOnly
                $0.batchLimit = Int32(clamping: limit)
            })
        return (response.stage ?? AdminStage()).view
    }

    func history(of id: UUID) async throws -> (history: CaseHistory, view: StageView)? {
        let response: AdminGetCaseResponse
        do {
            response = try await admin.send(
                AdminAdminServiceMethods.getCase,
                .with {
                    $0.pipeline = pipeline
                    $0.stage = stage
                    $0.caseID = id.description
                })
        } catch {
            if error.code == .notFound, error.message.hasPrefix(AdminService.noCase) { return nil }
            throw admin.failure(error)
        }
        let history = CaseHistory(
            id: id, attempts: response.attempts.map(\.ofHistory),
            batches: response.batches.map(\.record))
        return (history, (response.stage ?? AdminStage()).view)
    }

    func cancel(_ ids: [UUID], reason: String) async throws -> Cancellation {
        let response = try await admin.call(
            AdminAdminServiceMethods.cancelCases,
            .with {
                $0.pipeline = pipeline
                $0.stage = stage
                $0.caseIds = ids.map(\.description)
                $0.reason = reason
            })
        var others: [UUID: CaseState?] = [:]
        for other in response.others {
            guard let id = UUID(other.caseID[...]) else { continue }
            others.updateValue(other.state.ofCase, forKey: id)
        }
        return Cancellation(cancelled: Int(response.cancelledCount), others: others)
    }

    func replay(batch: Int64) async throws -> BatchReplay {
        let response = try await admin.call(
            AdminAdminServiceMethods.replayBatch,
            .with {
                $0.pipeline = pipeline
                $0.stage = stage
                $0.batch = batch
            })
        return BatchReplay(
            batch: response.replay == 0 ? nil : response.replay,
            replayed: Int(response.replayedCount), inWork: Int(response.inWorkCount),
            answeredSince: Int(response.answeredSinceCount), ended: Int(response.endedCount))
    }

    func flush() async throws {
        _ = try await admin.call(
            AdminAdminServiceMethods.flushStage,
            .with {
                $0.pipeline = pipeline
                $0.stage = stage
            })
    }

    func pause(_ target: PauseTarget, reason: String) async throws -> [String] {
        try await admin.call(
            AdminAdminServiceMethods.pauseStages,
            .with {
                $0.pipeline = pipeline
                $0.stage = stage
                $0.stages = target.stages
                $0.withIntake = target.withIntake
                $0.reason = reason
            }
        ).parts
    }

    func resume(_ target: PauseTarget) async throws -> [String] {
        try await admin.call(
            AdminAdminServiceMethods.resumeStages,
            .with {
                $0.pipeline = pipeline
                $0.stage = stage
                $0.stages = target.stages
            }
        ).parts
    }

    func positions() async throws -> [LogPositions] {
        [LogPositions](
            try await admin.call(
                AdminAdminServiceMethods.getPositions,
                .with {
                    $0.pipeline = pipeline
                    $0.stage = stage
                }
            ).positions)
    }

    func setPositions(_ wanted: [Int32: Int64], of log: String) async throws -> LogPositions {
        let positions = try await admin.call(
            AdminAdminServiceMethods.setPositions,
            .with {
                $0.pipeline = pipeline
                $0.stage = stage
                $0.positions = [LogPositions(log: log, source: "", next: wanted)].messages
            }
        ).positions
        return [LogPositions](positions).first ?? LogPositions(log: log, source: "", next: [:])
    }

    func changes(limit: Int) async throws -> [LedgerChange] {
        try await admin.call(
            AdminAdminServiceMethods.listChanges,
            .with {
                $0.pipeline = pipeline
                $0.stage = stage
                $0.limit = Int32(clamping: limit)
            }
        ).changes.map {
            LedgerChange(
                number: $0.number, at: $0.at.timestamp ?? Timestamp(microseconds: 0),
                actor: $0.actor, action: $0.action)
        }
    }
}

/// A connection to an admin service.
struct AdminClient: Sendable {
    /// How long an answer may take.
    private static let timeout = Duration.seconds(30)

    private let server: String
    private let client: GRPCClient

    /// - Throws: ``CommandFailure`` `usage` for what is no address, and a token that can't be had.
    init(_ address: AdminAddress) throws {
        let server = address.server
        self.server = server
        let isPort = server.split(separator: ":").last.flatMap { UInt16($0) } != nil
        guard server.hasPrefix("unix:") ? server.utf8.count > 5 : isPort else {
            throw CommandFailure(
                .usage,
                "\"\(server)\" is no admin service: expected unix:PATH or host:port, as the process's --admin-service says"
            )
        }
        var configuration = GRPCClient.Configuration(target: try ServerTarget.of(server))
        configuration.metadata = try address.credential.metadata
        do { client = try GRPCClient(configuration: configuration) } catch {
            throw CommandFailure(.usage, "--server \(server): \(error.message)")
        }
    }

    /// - Throws: ``CommandFailure``.
    func call<Request: Message, Response: Message>(
        _ method: MethodDescriptor<Request, Response>, _ request: Request,
        timeout: Duration = Self.timeout
    ) async throws -> Response {
        do { return try await send(method, request, timeout: timeout) } catch {
            throw failure(error)
        }
    }

    func send<Request: Message, Response: Message>(
        _ method: MethodDescriptor<Request, Response>, _ request: Request,
        timeout: Duration = Self.timeout
    ) async throws(GRPCStatusError) -> Response {
        try await client.call(method, request, timeout: timeout)
    }

    func failure(_ error: GRPCStatusError) -> CommandFailure {
        let code: ExitCode =
            switch error.code {
            case .unavailable, .deadlineExceeded: .unavailable
            case .invalidArgument, .notFound: .usage
            default: .failure
            }
        return CommandFailure(code, "\(server): \(error)")
    }
}

internal import AdminMessages
internal import CommandLineInterface
internal import GRPCTransport
internal import Identity
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import Protobuf
internal import ReportService

/// Serves `penstock.admin.v1.AdminService`, with health and reflection, on an address of its own.
///
/// It listens on a socket of the file system, which only the process's user may open, or on
/// loopback. Whoever reaches it may do everything, unless it is told whom to let in.
struct AdminService: Sendable {
    static let noCase = "there is no case"
    private static let mostBatches = 10_000
    private static let mostCases = 1_000
    private static let usualChanges = 100

    let catalogue: Catalogue
    let logger: Logger
    /// Those that run now.
    private let definitions: @Sendable () -> [PipelineDefinition]
    /// Answers when the files are in force.
    private let reload: @Sendable () async throws(GRPCStatusError) -> Reloaded
    let server: GRPCServer

    private let access: AccessControl?

    /// - Parameters:
    ///   - address: `unix:path`, or `host:port` of loopback.
    ///   - access: tells operators from others; `nil` where everybody may do everything.
    /// - Throws: ``CommandFailure`` `usage` for another address.
    init(
        _ address: String, access: AccessControl? = nil, catalogue: Catalogue, logger: Logger,
        definitions: @escaping @Sendable () -> [PipelineDefinition],
        reload: @escaping @Sendable () async throws(GRPCStatusError) -> Reloaded
    ) throws {
        self.access = access
        self.catalogue = catalogue
        self.logger = logger
        self.definitions = definitions
        self.reload = reload
        var configuration = GRPCServer.Configuration(address: address)
        configuration.queues = 1
        configuration.maxConnections = 100
        configuration.maxOpenCalls = 200
        configuration.maxConcurrentCalls = 100
        configuration.unixSocketMode = 0o600
        server = GRPCServer(configuration: configuration)
    }

    /// What is wrong with an address to listen on; `nil` if nothing is.
    static func objection(to address: String) -> String? {
        if let objection = GRPCServer.Configuration.objection(to: address) { return objection }
        if address.hasPrefix("unix:") { return nil }
        let host = address[..<(address.lastIndex(of: ":") ?? address.endIndex)]
        // A name that only looks like an address may be anywhere.
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        let isLoopback = numbers.count == 4 && numbers[0] == 127 && !numbers.contains(nil)
        return isLoopback || host == "localhost" || host == "[::1]"
            ? nil
            : "everybody who reaches it may do everything: it listens on a socket (unix:/run/penstock/admin.sock) or on loopback"
    }

    /// - Throws: ``CommandFailure`` `unavailable` when it can't listen there.
    func start() throws {
        let health = HealthService()
        health.set(.serving, for: AdminAdminServiceMethods.serviceName)
        health.set(.serving, for: "")
        server.add(health)
        server.addReflection(of: AdminDescriptors.files)
        addMethods()
        do { try server.start() } catch {
            throw CommandFailure(.unavailable, "--admin-service: \(error.message)")
        }
        logger.notice(
            "admin service", metadata: ["address": "\(server.configuration.address)"])
    }

    func shutdown() async { await server.shutdown(grace: .seconds(1)) }

    // MARK: Methods

    private func addMethods() {
        addReads()
        addChanges()
        addDeadLetters()
        server.unary(
            AdminAdminServiceMethods.reloadPipelines, atShutdown: .interrupt, admitting: admit
        ) {
            [reload] _, _, _ throws(GRPCStatusError) -> UnaryAnswer<AdminReloadPipelinesResponse> in
            .async { () throws(GRPCStatusError) in
                let clock = PipelineClock.system
                let start = clock.now
                let reloaded = try await reload()
                return .with {
                    $0.pipelines = reloaded.pipelines
                    $0.notReady = reloaded.problem ?? ""
                    $0.took = Google_Protobuf_Duration(start.duration(to: clock.now))
                }
            }
        }
    }

    private func addReads() {
        add(AdminAdminServiceMethods.getStage) { request, operations in
            let limit = try Self.bounded(request.batchLimit, "batch_limit", Self.mostBatches)
            let view = try await operations.view(
                BatchSelection(isUnfinishedOnly: request.unfinishedOnly), limit: limit)
            return .with { $0.stage = AdminStage(view) }
        }
        add(AdminAdminServiceMethods.getCase) { request, operations in
            let id = try Self.id(request.caseID)
            guard let found = try await operations.history(of: id) else {
                throw GRPCStatusError(
                    .notFound,
                    "\(Self.noCase) \(id) in \(operations.pipeline)/\(operations.stage), or no more"
                )
            }
            return .with {
                $0.caseID = id.description
                $0.attempts = found.history.attempts.map { AdminCaseAttempt($0) }
                $0.batches = found.history.batches.map { AdminBatch($0) }
                $0.stage = AdminStage(found.view)
            }
        }
        add(AdminAdminServiceMethods.getPositions) { _, operations in
            let positions = try await operations.positions()
            return .with { $0.positions = positions.messages }
        }
        add(AdminAdminServiceMethods.listChanges) { request, operations in
            let limit = try Self.bounded(request.limit, "limit", Self.mostBatches)
            let changes = try await operations.changes(
                limit: limit == 0 ? Self.usualChanges : limit)
            return .with { $0.changes = changes.map { AdminChange($0) } }
        }
    }

    private func addChanges() {
        add(AdminAdminServiceMethods.cancelCases) { request, operations in
            let ids = try request.caseIds.map { try Self.id($0) }
            guard (1...Self.mostCases).contains(ids.count) else {
                throw GRPCStatusError(
                    .invalidArgument, "case_ids has \(ids.count): 1 to \(Self.mostCases)")
            }
            let reason = try Self.text(request.reason, "reason")
            let result = try await operations.cancel(ids, reason: reason)
            return .with {
                $0.cancelledCount = Int32(clamping: result.cancelled)
                $0.others = result.others.map { id, state in
                    .with {
                        $0.caseID = id.description
                        $0.state = AdminCaseState(state)
                    }
                }.sorted { $0.caseID < $1.caseID }
            }
        }
        add(AdminAdminServiceMethods.replayBatch) { request, operations in
            let replay = try await operations.replay(batch: request.batch)
            return .with {
                $0.replay = replay.batch ?? 0
                $0.replayedCount = Int32(clamping: replay.replayed)
                $0.inWorkCount = Int32(clamping: replay.inWork)
                $0.answeredSinceCount = Int32(clamping: replay.answeredSince)
                $0.endedCount = Int32(clamping: replay.ended)
            }
        }
        add(AdminAdminServiceMethods.flushStage) { _, operations in
            try await operations.flush()
            return AdminFlushStageResponse()
        }
        add(AdminAdminServiceMethods.pauseStages) { request, operations in
            let reason = try Self.text(request.reason, "reason")
            let parts = try await operations.pause(
                PauseTarget(stages: request.stages, withIntake: request.withIntake),
                reason: reason)
            return .with { $0.parts = parts }
        }
        add(AdminAdminServiceMethods.resumeStages) { request, operations in
            let parts = try await operations.resume(
                PauseTarget(stages: request.stages, withIntake: true))
            return .with { $0.parts = parts }
        }
        add(AdminAdminServiceMethods.setPositions) { request, operations in
            let logs = Set(request.positions.map(\.log))
            guard let log = logs.first, logs.count == 1 else {
                throw GRPCStatusError(.invalidArgument, "positions are of one log, and some")
            }
            var wanted: [Int32: Int64] = [:]
            for position in request.positions {
                guard position.offset >= 0, wanted[position.partition] == nil else {
                    throw GRPCStatusError(
                        .invalidArgument,
                        "partition \(position.partition) of \(log): one offset from 0 on")
                }
                wanted[position.partition] = position.offset
            }
            let all = try await operations.setPositions(wanted, of: log)
            return .with { $0.positions = [all].messages }
        }
    }

    // MARK: What they have in common

    /// Adds a method that works on the stage that its request names, on behalf of its caller.
    private func add<Request: StageRequest, Response: Message>(
        _ method: MethodDescriptor<Request, Response>,
        _ body: @escaping @Sendable (Request, LedgerOperations) async throws -> Response
    ) {
        server.unary(method, admitting: admit) {
            [self] request, caller, _ throws(GRPCStatusError) -> UnaryAnswer<Response> in
            return .async { () throws(GRPCStatusError) in
                do {
                    let operations = try await LedgerOperations(
                        definition(request.pipeline),
                        stage: request.stage.isEmpty ? nil : request.stage, by: caller,
                        catalogue: catalogue)
                    do {
                        let response = try await body(request, operations)
                        await operations.close()
                        return response
                    } catch {
                        await operations.close()
                        throw error
                    }
                } catch {
                    throw GRPCStatusError(ofOperation: error)
                }
            }
        }
    }

    /// Names the caller, or refuses him.
    func admit(_ context: borrowing CallContext) throws(GRPCStatusError) -> String {
        let caller = try access?.caller(context, permission: .administer)
        return caller.map { "\($0.subject) (\(context.peer))" } ?? context.peer
    }

    func definition(_ name: String) throws(GRPCStatusError) -> PipelineDefinition {
        let running = definitions()
        guard let definition = running.first(where: { $0.name == name }) else {
            let names = running.map(\.name).sorted().joined(separator: ", ")
            throw GRPCStatusError(
                .notFound,
                "this process runs no pipeline \"\(name.prefix(100))\": it runs \(names)")
        }
        return definition
    }

    private static func id(_ text: String) throws(GRPCStatusError) -> UUID {
        guard let id = UUID(text[...]) else {
            throw GRPCStatusError(.invalidArgument, "\"\(text.prefix(60))\" is no case id: a UUID")
        }
        return id
    }

    private static func text(_ text: String, _ field: String) throws(GRPCStatusError) -> String {
        guard (1...1_000).contains(text.utf8.count), text.contains(where: { !$0.isWhitespace })
        else {
            throw GRPCStatusError(
                .invalidArgument, "\(field) has to have 1 to 1,000 bytes, and to say something")
        }
        return text
    }

    static func bounded(
        _ number: Int32, _ field: String, _ most: Int
    ) throws(GRPCStatusError) -> Int {
        guard (0...most).contains(Int(number)) else {
            throw GRPCStatusError(.invalidArgument, "\(field) is 0 to \(most)")
        }
        return Int(number)
    }
}

/// A request that names a pipeline's accumulate stage.
private protocol StageRequest: Message {
    var pipeline: String { get }
    var stage: String { get }
}
extension AdminGetStageRequest: StageRequest {}
extension AdminGetCaseRequest: StageRequest {}
extension AdminCancelCasesRequest: StageRequest {}
extension AdminReplayBatchRequest: StageRequest {}
extension AdminFlushStageRequest: StageRequest {}
extension AdminPauseStagesRequest: StageRequest {}
extension AdminResumeStagesRequest: StageRequest {}
extension AdminGetPositionsRequest: StageRequest {}
extension AdminSetPositionsRequest: StageRequest {}
extension AdminListChangesRequest: StageRequest {}

extension AdminChange {
    fileprivate init(_ change: LedgerChange) {
        self.init()
        number = change.number
        at = .init(change.at)
        actor = change.actor
        action = change.action
    }
}

extension GRPCStatusError {
    init(ofOperation error: any Error) {
        switch error {
        case let status as GRPCStatusError: self = status
        case is CancellationError: self.init(.cancelled, "the call was cancelled")
        case let failure as CommandFailure:
            switch failure.code {
            case .usage: self.init(.invalidArgument, failure.message)
            case .unavailable: self.init(.unavailable, failure.message)
            default: self.init(.failedPrecondition, failure.message)
            }
        case let error as PipelineError where error.isOfEnvironment:
            self.init(.unavailable, error.description)
        case let error as PipelineError: self.init(.failedPrecondition, error.description)
        default: self.init(.internal, "internal error")
        }
    }
}

internal import CommandLineInterface
internal import ConfigurationFields
internal import PipelineConfiguration
internal import PipelineCore

/// What operators do with an accumulate stage and what stands around it: on its ledger, beside
/// whoever runs it, or through the admin service of a process that does.
///
/// Errors are ``CommandFailure``s and ``PipelineError``s.
protocol StageOperations: Sendable {
    var pipeline: String { get }
    /// The accumulate stage's id.
    var stage: String { get }

    func view(_ selection: BatchSelection, limit: Int) async throws -> StageView
    /// `nil` for a case that is not known, or no more.
    func history(of id: UUID) async throws -> (history: CaseHistory, view: StageView)?
    func cancel(_ ids: [UUID], reason: String) async throws -> Cancellation
    /// As ``Ledger/replay(batch:)``.
    func replay(batch: Int64) async throws -> BatchReplay
    func flush() async throws
    /// - Returns: what was meant.
    func pause(_ target: PauseTarget, reason: String) async throws -> [String]
    func resume(_ target: PauseTarget) async throws -> [String]
    func positions() async throws -> [LogPositions]
    /// Makes partitions of a log be read from there; others stay where they are.
    ///
    /// - Returns: all of the log, as they are then.
    func setPositions(_ wanted: [Int32: Int64], of log: String) async throws -> LogPositions
    func changes(limit: Int) async throws -> [LedgerChange]
    func close() async
}

/// What became of cases that were to be cancelled.
struct Cancellation: Sendable {
    var cancelled: Int
    /// Where the others stand; `nil`: not known.
    var others: [UUID: CaseState?]
}

/// What a pause or its end is about.
struct PauseTarget: Sendable {
    /// Ids of stages; everything from accumulate on where there are none.
    var stages: [String]
    /// Where no stages are named: the ingest stages, too.
    var withIntake: Bool

    /// - Throws: ``CommandFailure`` `usage` where single stages are named and others meant, too.
    func refuseContradiction() throws {
        guard withIntake, !stages.isEmpty else { return }
        throw CommandFailure(
            .usage,
            "--intake is for a pause of everything, and \(stages.joined(separator: ", ")) was"
                + " named: leave one of them out, or name the ingest stages as well")
    }

    /// What of it the pipeline's file names, and names that it does not have: a pause of what has
    /// got another name, or is gone, may be kept under them.
    func split(by stages: [StageDefinition]) -> (known: Self, others: [String]) {
        let ids = Set(stages.filter { $0.role != .transform }.map(\.id))
        var known = self
        known.stages = self.stages.filter(ids.contains)
        return (known, self.stages.filter { !ids.contains($0) })
    }

    static func unknown(_ id: String, in file: String, _ known: [String]) -> CommandFailure {
        CommandFailure(
            .usage,
            "\(file) has no stage \"\(id)\" that can be paused: there is \(known.joined(separator: ", "))"
        )
    }

    /// - Parameter stages: the pipeline's.
    /// - Throws: ``CommandFailure`` `usage` for an id that can't be paused.
    func parts(of stages: [StageDefinition], in file: String) throws -> Set<LedgerPart> {
        var parts: [String: LedgerPart] = [:]
        for stage in stages {
            switch stage.role {
            case .source: parts[stage.id] = .intake(stage.id)
            case .barrier: parts[stage.id] = .sealing
            case .worker: parts[stage.id] = .generation
            case .sink: parts[stage.id] = .delivery(stage.id)
            case .transform: break
            }
        }
        for id in self.stages where parts[id] == nil {
            throw Self.unknown(id, in: file, parts.keys.sorted())
        }
        if !self.stages.isEmpty { return Set(self.stages.compactMap { parts[$0] }) }
        return Set(parts.values).filter {
            if case .intake = $0 { withIntake } else { true }
        }
    }
}

/// Which accumulate stage a command looks into, and through whom.
struct StageChoice: Sendable {
    private let server: AdminAddress?
    private let stage: String?
    private let pipeline: String

    /// - Parameter isArgument: whether the stage is an argument behind the pipeline, and needed.
    init(_ field: Fields, argument isArgument: Bool = false) {
        server = AdminAddress(field)
        if isArgument {
            pipeline = .pipelineFile(field)
            stage = field.argument("STAGE", "The id of its accumulate stage.", example: "batch")
        } else {
            stage = field.optional(
                "stage", "The accumulate stage; the pipeline's only one without.",
                example: "batch")
            pipeline = .pipelineFile(field)
        }
    }

    /// Runs `body` with what may be done there, and lets go of it.
    ///
    /// - Throws: ``CommandFailure``.
    func using<T>(
        _ catalogue: Catalogue, _ console: Console,
        _ body: (any StageOperations) async throws -> T
    ) async throws -> T {
        do {
            let operations = try await open(catalogue, console)
            let result = try await body(operations)
            await operations.close()
            return result
        } catch let error as PipelineError {
            throw CommandFailure(error.exitCode, error.description)
        }
    }

    /// Ends pauses of what the pipeline's file does not have any more. There may be no stage to
    /// open: the accumulate stage may have got another name, too.
    ///
    /// - Returns: what is left to be ended, and what goes on.
    /// - Throws: ``CommandFailure``.
    func resumeUnnamed(
        of target: PauseTarget, _ catalogue: Catalogue, _ console: Console
    ) async throws -> (rest: PauseTarget?, parts: [String]) {
        if server != nil { return (target, []) }
        let definition = try PipelineFiles.read(
            [pipeline], catalogue: catalogue, console: console)[0]
        let (known, others) = target.split(by: definition.stages)
        if others.isEmpty { return (target, []) }
        do {
            let parts = try await definition.resume(
                others, by: ProcessEnvironment.user, catalogue: catalogue)
            return (known.stages.isEmpty ? nil : known, parts)
        } catch let error as PipelineError {
            throw CommandFailure(error.exitCode, error.description)
        }
    }

    private func open(
        _ catalogue: Catalogue, _ console: Console
    ) async throws -> any StageOperations {
        if let server {
            return try RemoteOperations(server, pipeline: pipeline, stage: stage)
        }
        let definition = try PipelineFiles.read(
            [pipeline], catalogue: catalogue, console: console)[0]
        return try await LedgerOperations(
            definition, stage: stage, by: ProcessEnvironment.user, catalogue: catalogue)
    }
}

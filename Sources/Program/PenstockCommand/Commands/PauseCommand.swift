internal import CommandLineInterface
internal import ConfigurationFields
internal import PipelineConfiguration
internal import PipelineCore

/// What a pause or its end is about: a pipeline, or some of its stages.
private struct PauseChoice: Sendable {
    private let pipeline: String
    private let stages: [String]

    init(_ field: Fields) {
        pipeline = .pipelineFile(field)
        stages = field.arguments(
            "STAGE",
            "Ids of stages: accumulate (nothing is sealed), generate (no batch is claimed), a sink (nothing is delivered to it); all of them without.",
            example: ["ready"], default: [])
    }

    /// Opens the barriers of the stages, each with the parts that are meant.
    ///
    /// - Throws: ``CommandFailure``.
    func using(
        _ catalogue: Catalogue, _ console: Console,
        _ body: (any Ledger, Set<LedgerPart>) async throws -> Void
    ) async throws {
        let definition = try PipelineFiles.read(
            [pipeline], catalogue: catalogue, console: console)[0]
        guard let barrier = definition.stages.firstIndex(where: { $0.role == .barrier }) else {
            throw CommandFailure(
                .usage, "\(definition.file) has no accumulate stage: nothing can be paused")
        }
        var parts: [String: LedgerPart] = [:]
        for stage in definition.stages[barrier...] {
            switch stage.role {
            case .barrier: parts[stage.id] = .sealing
            case .worker: parts[stage.id] = .generation
            case .sink: parts[stage.id] = .delivery(stage.id)
            case .source, .transform: break
            }
        }
        for id in stages where parts[id] == nil {
            throw CommandFailure(
                .usage,
                "\(definition.file) has no stage \"\(id)\" that can be paused: there is \(parts.keys.sorted().joined(separator: ", "))"
            )
        }
        let chosen = stages.isEmpty ? Set(parts.values) : Set(stages.compactMap { parts[$0] })
        let access = try await BarrierAccess.open(
            definition, stage: definition.stages[barrier].id, catalogue: catalogue)
        do { try await body(access.barrier.ledger, chosen) } catch let error as PipelineError {
            throw CommandFailure(error.exitCode, error.description)
        }
        await access.resources.close()
    }
}

private struct PauseOptions: Settings {
    static let summary = "Holds up a pipeline or some of its stages, in every process."
    let reason: String
    let choice: PauseChoice

    init(_ field: Fields) {
        reason = field(
            "reason", "Why, for whoever looks later.", default: "paused by an operator",
            example: "the bus is being moved")
        choice = PauseChoice(field)
    }
}

private struct ResumeOptions: Settings {
    static let summary = "Lets what was paused go on."
    let choice: PauseChoice
    init(_ field: Fields) { choice = PauseChoice(field) }
}

extension PenstockCommand {
    static func pause(_ catalogue: Catalogue) -> Command {
        Command(
            "pause", PauseOptions.self,
            details: """
                The ledger keeps the pause, so that it holds for all processes and across restarts, \
                until `resume`. Batches in work are finished; nothing new is begun. Requests are \
                accepted as before and wait; deadlines go on. `batches` shows what is paused.
                """,
            examples: [
                .init("Pipelines/conversion-reports.json", "Everything behind the open batch."),
                .init(
                    "Pipelines/conversion-reports.json ready --reason \"the bus is being moved\"",
                    "One sink."),
            ]
        ) { options, console in
            try await options.choice.using(catalogue, console) { ledger, parts in
                try await ledger.pause(parts, reason: options.reason)
                let names = parts.map(\.spoken).sorted().joined(separator: ", ")
                console.err("paused: \(names)\n")
            }
            return .success
        }
    }

    static func resume(_ catalogue: Catalogue) -> Command {
        Command(
            "resume", ResumeOptions.self,
            details: "Running processes see it within the stage's `poll` interval.",
            examples: [.init("Pipelines/conversion-reports.json", "Everything.")]
        ) { options, console in
            try await options.choice.using(catalogue, console) { ledger, parts in
                try await ledger.resume(parts)
                let names = parts.map(\.spoken).sorted().joined(separator: ", ")
                console.err("resumed: \(names)\n")
            }
            return .success
        }
    }
}

internal import CommandLineInterface
internal import ConfigurationFields
internal import PipelineCore

/// Ids of stages that may be paused.
private func stages(_ field: Fields, without: String) -> [String] {
    field.arguments(
        "STAGE",
        "Ids of stages: ingest (nothing is taken in), accumulate (nothing is sealed), generate (no batch is claimed), a sink (nothing is delivered to it). \(without)",
        example: ["ready"], default: [])
}

private struct PauseOptions: Settings {
    static let summary = "Holds up a pipeline or some of its stages, in every process."
    let choice: StageChoice
    let reason: String
    let target: PauseTarget

    init(_ field: Fields) {
        reason = field(
            "reason", "Why, for whoever looks later.", default: "paused by an operator",
            example: "the bus is being moved"
        ) { $0.isEmpty ? "says nothing" : nil }
        let withIntake = field(
            "intake",
            "The ingest stages, too; only without STAGE, since one that is named is paused anyway.",
            default: false)
        choice = StageChoice(field)
        target = PauseTarget(
            stages: stages(field, without: "Everything from accumulate on without."),
            withIntake: withIntake)
    }
}

private struct ResumeOptions: Settings {
    static let summary = "Lets what was paused go on."
    let choice: StageChoice
    let target: PauseTarget
    init(_ field: Fields) {
        choice = StageChoice(field)
        target = PauseTarget(
            stages: stages(field, without: "Everything without."), withIntake: true)
    }
}

extension PenstockCommand {
    static func pause(_ catalogue: Catalogue) -> Command {
        Command(
            "pause", PauseOptions.self,
            details: """
                The ledger keeps the pause, so that it holds for all processes and across restarts, \
                until `resume`. Batches in work are finished; nothing new is begun; deadlines go on. \
                Unless their ingest stage is paused, requests are accepted as before and wait. A \
                paused ingest stage reads its topics no further, and its callers are told to come \
                again. `batches` shows what is paused, `changes` who did it.
                """,
            examples: [
                .init("Pipelines/conversion-reports.json", "Everything behind the open batch."),
                .init(
                    "Pipelines/conversion-reports.json ready --reason \"the bus is being moved\"",
                    "One sink."),
                .init(
                    "--intake Pipelines/conversion-reports.json",
                    "Everything, before positions are set."),
            ]
        ) { options, console in
            try options.target.refuseContradiction()
            try await options.choice.using(catalogue, console) { operations in
                let parts = try await operations.pause(options.target, reason: options.reason)
                console.err("paused: \(parts.joined(separator: ", "))\n")
            }
            return .success
        }
    }

    static func resume(_ catalogue: Catalogue) -> Command {
        Command(
            "resume", ResumeOptions.self,
            details: """
                Running processes see it within the stage's `poll` interval. What was paused and \
                has got another name since, or is gone, is resumed by its old one; a stage of \
                another pipeline as PIPELINE/STAGE.
                """,
            examples: [.init("Pipelines/conversion-reports.json", "Everything.")]
        ) { options, console in
            var (rest, parts) = try await options.choice.resumeUnnamed(
                of: options.target, catalogue, console)
            if let rest {
                try await options.choice.using(catalogue, console) { operations in
                    parts += try await operations.resume(rest)
                }
            }
            console.err(
                parts.isEmpty
                    ? "nothing of that is paused\n"
                    : "resumed: \(parts.joined(separator: ", "))\n")
            return .success
        }
    }
}

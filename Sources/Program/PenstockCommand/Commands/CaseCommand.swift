internal import CommandLineInterface
internal import ConfigurationFields
internal import DryRunReport
internal import LocatedJSON
internal import PipelineCore

private struct CaseOptions: Settings {
    enum Format: String, Choice { case text, json }

    static let summary = "Tells the life of a case, and what it waits for."
    let choice: StageChoice
    let id: String
    let format: Format

    init(_ field: Fields) {
        choice = StageChoice(field)
        id = field.argument(
            "ID", "The case's id.", example: "6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11")
        format = field("format", "How it is printed.", default: .text)
    }
}

private struct CancelOptions: Settings {
    static let summary = "Cancels cases that have no outcome yet."
    let choice: StageChoice
    let reason: String
    let ids: [String]

    init(_ field: Fields) {
        choice = StageChoice(field)
        reason = field(
            "reason", "Why, for whoever asks for the case.", default: "cancelled by an operator",
            example: "asked for twice"
        ) { $0.isEmpty ? "says nothing" : nil }
        ids = field.arguments(
            "ID", "The cases' ids.", example: ["6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11"])
    }
}

extension PenstockCommand {
    static func showCase(_ catalogue: Catalogue) -> Command {
        Command(
            "case", CaseOptions.self,
            details: """
                Each attempt at it with its batch and its deliveries. Reads the ledger beside a \
                running `penstock run`, and without one; exits with 1 for a case that is not known, \
                or no more.
                """,
            examples: [
                .init(
                    "Pipelines/conversion-reports.json 6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11",
                    "Where it stands.")
            ]
        ) { options, console in
            let id = try UUID.argument(options.id)
            return try await options.choice.using(catalogue, console) { operations in
                guard let found = try await operations.history(of: id) else {
                    let stage = operations.stage.isEmpty ? "" : "/\(operations.stage)"
                    throw CommandFailure(
                        .failure, "\(operations.pipeline)\(stage) knows no case \(id), or no more")
                }
                let life = CaseLife(history: found.history, view: found.view)
                switch options.format {
                case .text: console.out(life.lines.joined(separator: "\n") + "\n")
                case .json: console.out(life.json.written(.pretty) + "\n")
                }
                return .success
            }
        }
    }

    static func cancel(_ catalogue: Catalogue) -> Command {
        Command(
            "cancel", CancelOptions.self,
            details: """
                A cancelled case ends with an outcome that says so; a repeat of its request opens it \
                again. Cases that wait leave the open batch; one whose batch is sealed or runs is \
                cancelled as well, and the batch goes on. Cases that are finished stay as they are: \
                the command says which, and exits with 1.
                """,
            examples: [
                .init(
                    "Pipelines/conversion-reports.json 6f2c1f0e-8a0f-4a52-9c7e-1f1d5f0f6c11",
                    "Nobody wants it any more.")
            ]
        ) { options, console in
            let ids = try options.ids.map { try UUID.argument($0) }
            return try await options.choice.using(catalogue, console) { operations in
                let result = try await operations.cancel(ids, reason: options.reason)
                console.out("\(result.cancelled.counting("case", "cases")) cancelled\n")
                for (id, state) in result.others.sorted(by: { "\($0.key)" < "\($1.key)" }) {
                    console.err(
                        "\(id): \(state.map { "is \($0.rawValue) already" } ?? "is not known")\n")
                }
                return result.others.isEmpty ? .success : .failure
            }
        }
    }
}

extension UUID {
    /// - Throws: ``CommandFailure`` `usage`.
    fileprivate static func argument(_ text: String) throws -> UUID {
        guard let id = UUID(text[...]) else {
            throw CommandFailure(.usage, "\"\(text)\" is no case id: it is a UUID")
        }
        return id
    }
}

/// A case as an operator is shown it.
private struct CaseLife {
    let history: CaseHistory
    let view: StageView

    var lines: [String] {
        var lines = ["\(history.id), \(view.pipeline), stage \(view.stage)"]
        for attempt in history.attempts {
            lines.append("  attempt \(attempt.revision)   \(attempt.state.rawValue)")
            lines.append("    accepted  \(attempt.acceptedAt.toSeconds)")
            lines.append("    deadline  \(attempt.deadline.toSeconds)")
            if let trace = attempt.trace { lines.append("    trace     \(trace.traceID)") }
            if let batch = history.batch(of: attempt) {
                lines.append(
                    "    batch     \(batch.number), sealed \(batch.sealedAt.toSeconds) by \(batch.closedBy), \(batch.cases.counting("case", "cases"))"
                )
            }
            if let outcome = attempt.outcomeID, let writtenAt = attempt.writtenAt {
                lines.append("    outcome   \(outcome), \(writtenAt.toSeconds)")
            }
            if let reason = attempt.reason { lines.append("    reason    \(reason)") }
            lines += waits(attempt).map { "    waits     \($0)" }
        }
        return lines
    }

    /// What has still to happen; empty when all is done.
    private func waits(_ attempt: CaseAttempt) -> [String] {
        let batch = history.batch(of: attempt)
        switch attempt.state {
        case .pending:
            let others = max(0, view.overview.open.count - 1)
            return ["in the open batch with \(others.counting("other", "others")): \(view.sealing)"]
        case .sealed:
            guard let batch else { return ["for a worker"] }
            if let error = batch.lastError, let again = batch.notBefore {
                return [
                    "until \(again.toSeconds), after attempt \(batch.attempts) failed: \(error)"
                ]
            }
            return [
                "for a worker: \(view.overview.sealed.counting("sealed batch", "sealed batches")), \(view.overview.running) running"
            ]
        case .running:
            guard let batch, let worker = batch.worker else { return ["for its worker"] }
            let lease = batch.leaseUntil.map { ", under a lease until \($0.toSeconds)" } ?? ""
            return ["for \(worker), attempt \(batch.attempts)\(lease)"]
        case .succeeded, .failed, .cancelled, .expired:
            return (batch?.deliveries ?? []).compactMap { delivery in
                guard delivery.deliveredAt == nil else { return nil }
                return "for \(delivery.sink), which has not got it"
                    + (delivery.attempts > 0
                        ? " in \(delivery.attempts.counting("try", "tries"))" : "")
            }
        }
    }

    var json: JSON {
        .object([
            ("case_id", .string("\(history.id)")), ("pipeline", .string(view.pipeline)),
            ("stage", .string(view.stage)),
            (
                "attempts",
                .array(
                    history.attempts.map { attempt in
                        .object([
                            ("attempt", .number(attempt.revision)),
                            ("state", .string(attempt.state.rawValue)),
                            ("accepted_at", attempt.acceptedAt.json),
                            ("deadline", attempt.deadline.json),
                            ("batch", history.batch(of: attempt)?.json ?? .null),
                            (
                                "outcome_id",
                                attempt.outcomeID.map { .string("\($0)") } ?? .null
                            ),
                            ("written_at", attempt.writtenAt.json),
                            ("data_as_of", attempt.dataAsOf.json),
                            ("reason", attempt.reason.map { .string($0) } ?? .null),
                            ("traceparent", attempt.trace.map { .string("\($0)") } ?? .null),
                            ("waits", .array(waits(attempt).map { .string($0) })),
                        ])
                    })
            ),
        ])
    }
}

internal import Ledger
internal import PipelineCore
internal import SQLite

/// A stage's row, as one process knows it.
struct Registration: Sendable {
    var number: Int64
    /// The revision of this process's rule.
    var revision: Int64

    private struct Stored {
        var number: Int64
        var revision: Int64
        var rule: String
    }

    private static func load(
        _ stage: LedgerStage, from connection: SQLiteConnection
    ) throws -> Stored? {
        try connection.first(
            "SELECT stage_no, revision, rule FROM ledger_stages WHERE pipeline = ?1 AND stage = ?2",
            stage.pipeline, stage.stage
        ) { Stored(number: $0.int64(0), revision: $0.int64(1), rule: $0.text(2)) }
    }

    /// The row as it is, whatever its rule; `nil` if there is none.
    static func find(_ stage: LedgerStage, in connection: SQLiteConnection) throws -> Self? {
        try load(stage, from: connection).map {
            Registration(number: $0.number, revision: stage.revision ?? $0.revision)
        }
    }

    /// Creates the row, or takes note of the rule.
    /// - Throws: `fatal` `rule-conflict`.
    static func register(_ stage: LedgerStage, in connection: SQLiteConnection) throws -> Self {
        guard let stored = try load(stage, from: connection) else {
            try connection.run(
                "INSERT INTO ledger_stages(pipeline, stage, rule, revision) VALUES(?1, ?2, ?3, ?4)",
                stage.pipeline, stage.stage, stage.ruleText, stage.revision ?? 1)
            return try find(stage, in: connection)!
        }
        let isSame = stored.rule == stage.ruleText
        let revision = stage.revision ?? (isSame ? stored.revision : stored.revision + 1)
        if revision == stored.revision && !isSame {
            throw PipelineError.fatal(
                "rule-conflict",
                "the stored rule of \(stage.pipeline)/\(stage.stage) has the same revision "
                    + "(\(revision)) and another text: raise the revision")
        }
        if revision > stored.revision {
            try connection.run(
                "UPDATE ledger_stages SET rule = ?2, revision = ?3 WHERE stage_no = ?1",
                stored.number, stage.ruleText, revision)
        }
        return Registration(number: stored.number, revision: revision)
    }
}

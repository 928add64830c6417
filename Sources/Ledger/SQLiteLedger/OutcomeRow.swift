internal import PipelineCore
internal import SQLite

/// An outcome (`o`) joined with its case (`c`), as columns.
enum OutcomeRow {
    static let columns = """
        o.outcome_id, c.case_no, c.id, o.batch_no, o.state, o.reason, o.report, o.data_as_of, \
        o.written_at, c.deadline, c.parameters, c.attempt
        """

    /// - Parameter first: the column at which ``columns`` begin.
    static func read(_ row: borrowing SQLiteRow, from first: Int) -> Outcome {
        Outcome(
            id: row.uuid(first)!, caseNumber: row.int64(first + 1), caseID: row.uuid(first + 2)!,
            revision: row.int(first + 11), batch: row.int64(first + 3),
            state: CaseState(rawValue: row.text(first + 4))!,
            reason: row.isNull(first + 5) ? nil : row.text(first + 5),
            report: row.isNull(first + 6) ? nil : row.blob(first + 6),
            dataAsOf: row.timestamp(first + 7),
            writtenAt: Timestamp(microseconds: row.int64(first + 8)),
            deadline: Timestamp(microseconds: row.int64(first + 9)),
            parameters: row.blob(first + 10))
    }
}

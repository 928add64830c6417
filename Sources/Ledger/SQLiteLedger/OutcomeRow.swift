internal import Ledger
internal import PipelineCore
internal import SQLite

/// An outcome (`o`) joined with its case (`c`), as columns.
enum OutcomeRow {
    static let columns = """
        o.outcome_id, c.case_no, c.id, o.batch_no, o.state, o.reason, o.report, o.data_as_of, \
        o.written_at, c.deadline, c.parameters, c.attempt
        """

    /// - Parameter first: the column at which ``columns`` begin.
    /// - Throws: retryable `store-damaged`.
    static func read(_ row: borrowing SQLiteRow, from first: Int) throws -> Outcome {
        Outcome(
            id: try row.id(first, of: row.int64(first + 1)), caseNumber: row.int64(first + 1),
            caseID: try row.id(first + 2, of: row.int64(first + 1)),
            revision: row.int(first + 11), batch: row.int64(first + 3),
            state: try row.state(first + 4, of: row.int64(first + 1)),
            reason: row.isNull(first + 5) ? nil : row.text(first + 5),
            report: row.isNull(first + 6) ? nil : row.blob(first + 6),
            dataAsOf: row.timestamp(first + 7),
            writtenAt: Timestamp(microseconds: row.int64(first + 8)),
            deadline: Timestamp(microseconds: row.int64(first + 9)),
            parameters: row.blob(first + 10))
    }
}

extension SQLiteRow {
    /// An id that a case is known by.
    ///
    /// - Parameter number: the case's.
    /// - Throws: retryable `store-damaged` for anything else.
    func id(_ column: Int, of number: Int64) throws -> UUID {
        guard let id = uuid(column) else {
            throw PipelineError.damagedRow(of: "number \(number)", "an id of it is not one")
        }
        return id
    }

    fileprivate func state(_ column: Int, of number: Int64) throws -> CaseState {
        guard let state = CaseState(rawValue: text(column)) else {
            throw PipelineError.damagedRow(
                of: "number \(number)", "its state is \"\(text(column))\"")
        }
        return state
    }
}

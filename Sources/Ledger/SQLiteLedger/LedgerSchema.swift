internal import SQLite

/// The tables of the embedded ledger; the same ideas as PostgreSQL's, with `BEGIN IMMEDIATE` in
/// place of its locks.
///
/// Cases and outcomes are only inserted into (a case that is opened again marks its predecessor).
/// Times are microseconds since 1970; `cases` is a JSON array of case numbers, earliest deadline
/// first.
enum LedgerSchema {
    static let migration = SQLiteMigration(
        component: "ledger",
        steps: [
            stages, cases, batches, revisions, refusals, logs, pauses, changes, traces, replays,
            settledLetters, requesters,
        ])

    private static let stages = """
        CREATE TABLE ledger_stages(
          stage_no INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, stage TEXT NOT NULL,
          rule TEXT NOT NULL, revision INTEGER NOT NULL,
          last_fired INTEGER, flush_requested INTEGER,
          -- A drain in steps: why, and up to which case.
          drain_reason TEXT, drain_through INTEGER,
          generated_cases INTEGER NOT NULL DEFAULT 0, generation_us INTEGER NOT NULL DEFAULT 0,
          UNIQUE(pipeline, stage));
        -- Case numbers are never given twice, not even after a purge.
        CREATE TABLE ledger_numbers(next_case INTEGER NOT NULL);
        INSERT INTO ledger_numbers VALUES(1);
        CREATE TABLE ledger_positions(
          stage_no INTEGER NOT NULL, source TEXT NOT NULL, partition INTEGER NOT NULL,
          next_offset INTEGER NOT NULL, PRIMARY KEY(stage_no, source, partition)) WITHOUT ROWID;
        """

    private static let cases = """
        CREATE TABLE ledger_cases(
          case_no INTEGER PRIMARY KEY, stage_no INTEGER NOT NULL, accepted_at INTEGER NOT NULL,
          deadline INTEGER NOT NULL, is_superseded INTEGER NOT NULL DEFAULT 0,
          id BLOB NOT NULL, digest BLOB NOT NULL, parameters BLOB NOT NULL);
        CREATE UNIQUE INDEX ledger_cases_id ON ledger_cases(id, stage_no) WHERE is_superseded = 0;
        CREATE TABLE ledger_pending(
          stage_no INTEGER NOT NULL, case_no INTEGER NOT NULL, deadline INTEGER NOT NULL,
          accepted_at INTEGER NOT NULL, PRIMARY KEY(stage_no, case_no)) WITHOUT ROWID;
        CREATE INDEX ledger_pending_due ON ledger_pending(stage_no, deadline, case_no);
        CREATE TABLE ledger_outcomes(
          case_no INTEGER PRIMARY KEY, batch_no INTEGER NOT NULL, written_at INTEGER NOT NULL,
          data_as_of INTEGER, outcome_id BLOB NOT NULL, state TEXT NOT NULL, reason TEXT,
          report BLOB);
        """

    /// Counts the attempts at a case: the revision of its outcome.
    private static let revisions = """
        ALTER TABLE ledger_cases ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
        CREATE TEMP TABLE again AS
          SELECT c.case_no, row_number() OVER (PARTITION BY c.id, c.stage_no ORDER BY c.case_no) AS nth
          FROM ledger_cases c JOIN (
            SELECT DISTINCT id, stage_no FROM ledger_cases WHERE is_superseded = 1) s
            ON s.id = c.id AND s.stage_no = c.stage_no;
        UPDATE ledger_cases SET attempt = again.nth FROM again
          WHERE again.case_no = ledger_cases.case_no;
        DROP TABLE temp.again;
        """

    private static let batches = """
        CREATE TABLE ledger_batches(
          batch_no INTEGER PRIMARY KEY AUTOINCREMENT, stage_no INTEGER NOT NULL,
          case_count INTEGER NOT NULL, closed_by TEXT NOT NULL,
          revision INTEGER NOT NULL, sealed_at INTEGER NOT NULL,
          token INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
          -- Who holds the batch, and when it may be claimed (again).
          worker TEXT, available_at INTEGER NOT NULL DEFAULT 0, last_error TEXT,
          took_us INTEGER, rows_read INTEGER, committed_at INTEGER, done_at INTEGER,
          -- Last, so that reading the others does not follow it into overflow pages.
          cases TEXT NOT NULL);
        CREATE INDEX ledger_batches_open ON ledger_batches(stage_no, batch_no)
          WHERE committed_at IS NULL;
        CREATE INDEX ledger_batches_committed ON ledger_batches(stage_no)
          WHERE committed_at IS NOT NULL AND attempts > 0;
        CREATE INDEX ledger_batches_done ON ledger_batches(stage_no, done_at)
          WHERE done_at IS NOT NULL;
        CREATE TABLE ledger_deliveries(
          batch_no INTEGER NOT NULL, sink TEXT NOT NULL, stage_no INTEGER NOT NULL,
          token INTEGER NOT NULL DEFAULT 0, worker TEXT, available_at INTEGER NOT NULL DEFAULT 0,
          delivered_at INTEGER, PRIMARY KEY(batch_no, sink)) WITHOUT ROWID;
        CREATE INDEX ledger_deliveries_due ON ledger_deliveries(stage_no, sink, batch_no)
          WHERE delivered_at IS NULL;
        """

    /// What sinks and dead-letter topics refuse for good.
    ///
    /// A batch with parked outcomes has no `done_at`, so that a purge does not find it. A delivery
    /// that has been made once (`only_parked`) is made again for those that are due and no others.
    private static let refusals = """
        CREATE TABLE ledger_parked(
          batch_no INTEGER NOT NULL, sink TEXT NOT NULL, case_no INTEGER NOT NULL,
          stage_no INTEGER NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL,
          attempts INTEGER NOT NULL DEFAULT 1, parked_at INTEGER NOT NULL,
          is_due INTEGER NOT NULL DEFAULT 0,
          PRIMARY KEY(batch_no, sink, case_no)) WITHOUT ROWID;
        CREATE INDEX ledger_parked_stage ON ledger_parked(stage_no, sink, parked_at);
        ALTER TABLE ledger_deliveries ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE ledger_deliveries ADD COLUMN only_parked INTEGER NOT NULL DEFAULT 0;
        CREATE TABLE ledger_dead_letters(
          letter_no INTEGER PRIMARY KEY AUTOINCREMENT,
          pipeline TEXT NOT NULL, stage TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL,
          attempts INTEGER NOT NULL, kept_at INTEGER NOT NULL,
          -- Why it is here and not in its topic.
          refusal TEXT NOT NULL,
          resource TEXT NOT NULL, source TEXT NOT NULL, partition INTEGER NOT NULL,
          record_no INTEGER NOT NULL, recorded_at INTEGER NOT NULL,
          key BLOB, payload BLOB, headers BLOB);
        CREATE INDEX ledger_dead_letters_pipeline ON ledger_dead_letters(pipeline, letter_no);
        """

    /// What operators hold up: `seal`, `generate`, `deliver:` and a sink.
    private static let pauses = """
        CREATE TABLE ledger_pauses(
          stage_no INTEGER NOT NULL, part TEXT NOT NULL, since INTEGER NOT NULL,
          reason TEXT NOT NULL, PRIMARY KEY(stage_no, part)) WITHOUT ROWID;
        """

    /// The trace context of a case's request, where it has one.
    private static let traces = "ALTER TABLE ledger_cases ADD COLUMN trace TEXT;"

    /// Who asks, where the request says so: the first who asked for a case stays its requester.
    private static let requesters = """
        ALTER TABLE ledger_cases ADD COLUMN requester TEXT;
        CREATE INDEX ledger_cases_requester ON ledger_cases(stage_no, requester, case_no)
          WHERE requester IS NOT NULL AND is_superseded = 0;
        """

    /// What operators have changed, and who they were.
    private static let changes = """
        CREATE TABLE ledger_changes(
          change_no INTEGER PRIMARY KEY AUTOINCREMENT, stage_no INTEGER NOT NULL,
          at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL);
        CREATE INDEX ledger_changes_stage ON ledger_changes(stage_no, change_no);
        """

    /// Readers are answered the attempt before while a case is replayed.
    private static let replays = """
        CREATE INDEX ledger_cases_superseded ON ledger_cases(id, stage_no, attempt)
          WHERE is_superseded = 1;
        """

    /// What operators have settled in dead-letter topics: a row for each log and partition.
    /// `bounds` are the beginnings and the ends of ranges of offsets, as a JSON array; the witness
    /// is the last settled record, which tells the log from another one.
    private static let settledLetters = """
        CREATE TABLE ledger_settled_letters(
          log TEXT NOT NULL, partition INTEGER NOT NULL, bounds TEXT NOT NULL,
          witness_offset INTEGER NOT NULL, witness_digest INTEGER NOT NULL,
          PRIMARY KEY(log, partition)) WITHOUT ROWID;
        """

    /// Positions belong to logs, no longer to topics: rows without a log are of earlier versions.
    private static let logs = """
        ALTER TABLE ledger_positions ADD COLUMN log TEXT;
        ALTER TABLE ledger_positions ADD COLUMN incarnation INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE ledger_positions ADD COLUMN witness_offset INTEGER;
        ALTER TABLE ledger_positions ADD COLUMN witness_digest INTEGER;
        """
}

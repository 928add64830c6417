internal import Postgres

/// The ledger's tables and functions in the schema `penstock`, as the steps of a migration.
///
/// Functions answer in one round trip what takes several statements. They are written in
/// PL/pgSQL, which keeps plans, and rely on READ COMMITTED: each statement in them sees what was
/// committed before it began.
enum LedgerSchema {
    static let migration = PostgresMigration(
        schema: "penstock", component: "ledger",
        steps: [
            """
            \(tables)
            \(registration)
            \(accept)
            \(openBatch)
            \(seal)
            \(claiming)
            \(commit)
            \(bisect)
            \(deliveries)
            \(snapshots)
            \(upkeep)
            """,
            renewal, revisions, refusals, logs, repeats, waits, pauses, changes, traces, replays,
            turns, letters, endings, requesters, refreshing,
        ], tables: columns)

    /// Builds of the first step's early days made functions of an older text, and one column less.
    private static let renewal: PostgresScript = """
        alter table penstock.stages add column if not exists fired_no bigint not null default 0;
        drop function if exists penstock.open_batch(smallint, int);
        drop function if exists penstock.look(smallint, int);
        \(accept.replacingFunctions)
        \(openBatch.replacingFunctions)
        \(seal.replacingFunctions)
        \(commit.replacingFunctions)
        \(upkeep.replacingFunctions)
        """
}

extension LedgerSchema {
    /// Which functions have their present text from which script; what earlier scripts say of them
    /// is history. A test compares it with the scripts, and with what a migration makes.
    static let functionsInForce: [String: [String]] = [
        "bisect": ["bisect"],
        "endings": ["commit_outcomes", "end_cases"],
        "letters": ["drop_parked", "parked_of", "replay_parked"],
        "logs": ["positions", "restart_positions"],
        "openBatch": ["look", "open_batch"],
        "refusals": [
            "claim_delivery", "delivered", "finish_batch",
        ],
        "registration": ["register"],
        "repeats": ["reopenable"],
        "refreshing": ["refresh_cases", "replay_batch", "snapshots"],
        "replays": ["finished"],
        "requesters": ["accept", "enter_gate"],
        "seal": ["seal"],
        "upkeep": ["purge", "summary"],
        "turns": ["claim"],
    ]

    /// The columns of each table; a test compares them with what a migration makes.
    static let columns: [String: [String]] = [
        "stages": [
            "stage", "pipeline", "name", "rule", "revision", "last_fired", "flush_requested",
            "fired_no", "draining", "drain_through", "gate", "clamp", "floor", "floor_no",
            "gate_no", "sealed_due", "since_gate", "purged_cases", "purged_seconds",
        ],
        "positions": [
            "stage", "source", "part", "next_offset", "log", "incarnation", "witness_offset",
            "witness_digest",
        ],
        "cases": [
            "case_no", "accepted_at", "deadline", "key", "digest", "stage", "attempt", "parameters",
            "trace", "requester",
        ],
        "pending": ["case_no", "accepted_at", "due", "deadline", "stage"],
        "batches": [
            "batch_no", "stage", "cases", "closed_by", "revision", "sealed_at", "due", "split_from",
            "token", "lease_until", "not_before", "worker", "attempts", "last_error",
            "committed_at", "done_at", "seconds", "rows_read",
        ],
        "outcomes": [
            "case_no", "batch_no", "written_at", "data_as_of", "outcome_id", "state", "reason",
            "report",
        ],
        "deliveries": [
            "batch_no", "sink", "stage", "token", "lease_until", "not_before", "worker", "attempts",
            "delivered_at", "only_parked",
        ],
        "parked": [
            "batch_no", "sink", "case_no", "stage", "code", "reason", "attempts", "parked_at",
            "is_due",
        ],
        "pauses": ["stage", "part", "since", "reason"],
        "changes": ["change_no", "stage", "at", "actor", "action"],
        "claim_turns": ["stage", "worker", "asked_at", "seen_at"],
        "dead_letters": [
            "letter_no", "pipeline", "stage", "code", "reason", "attempts", "kept_at", "refusal",
            "resource", "source", "part", "record_no", "recorded_at", "key", "payload",
            "header_names", "header_values",
        ],
        "settled_letters": ["log", "part", "bounds", "witness_offset", "witness_digest"],
    ]

    /// What `run` does with them, `migrate` needs more. Locking a row takes the right to change it.
    static var privileges: PostgresPrivileges {
        let rights = [
            "schema_versions": ["SELECT"],
            "case_numbers": ["USAGE", "SELECT"],
            "stages": ["SELECT", "INSERT", "UPDATE"],
            "pending": ["SELECT", "INSERT", "DELETE"],
            "outcomes": ["SELECT", "INSERT", "DELETE"],
        ]
        let others = columns.keys.map { ($0, ["SELECT", "INSERT", "UPDATE", "DELETE"]) }
        return PostgresPrivileges(
            schema: migration.schema, relations: rights.merging(others) { first, _ in first })
    }
}

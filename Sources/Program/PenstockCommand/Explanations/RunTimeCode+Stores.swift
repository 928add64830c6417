extension RunTimeCode {
    /// Of ledgers, event stores and caches.
    static let stores: [RunTimeCode] = [
        .init(
            "batch-indivisible", .passing,
            "A batch that keeps failing was to be divided, but has a single case.",
            "Nothing: the case is answered with the generator's error."),
        .init(
            "cache-closed", .passing,
            "The cache was used while the process stopped.",
            "Nothing."),
        .init(
            "cache-entry-too-large", .record,
            "An entry is larger than the cache takes.",
            "Give the cache more memory; the answer is read from the store meanwhile."),
        .init(
            "cache-full", .passing,
            "Redis is full.",
            "Raise maxmemory, or let it evict (maxmemory-policy)."),
        .init(
            "cache-login", .unavailable,
            "Redis refuses the login.",
            "Check the user, the password and the user's rights."),
        .init(
            "cache-missing", .unavailable,
            "Redis has no database of that number.",
            "Name another one behind the slash of the URL, or raise databases in redis.conf."),
        .init(
            "cache-overloaded", .passing,
            "Too many commands wait for Redis.",
            "Look at Redis' latency; reads go to the store meanwhile."),
        .init(
            "cache-refused", .passing,
            "Redis does not take a command, or answers with something else.",
            "Read its message: is it Redis, and the right version?"),
        .init(
            "cache-unavailable", .passing,
            "Redis can't be reached.",
            "Nothing is lost: reads go to the store. Check the address, and whether Redis runs."),
        .init(
            "cache-unsupported", .unavailable,
            "The server is a Redis cluster.",
            "Use a single server, or a primary with replicas."),
        .init(
            "foreign-cache-entry", .passing,
            "What lies under a case's key in the cache is not that case's answer.",
            "The store answers instead. Who else writes to that database of Redis?"),
        .init(
            "foreign-database", .unavailable,
            "The file is a database of another program.",
            "Name another file."),
        .init(
            "lease-lost", .passing,
            "Another worker has taken over the batch.",
            "Nothing if it is rare; else raise the stage's \"lease\"."),
        .init(
            "not-a-database", .unavailable,
            "The file is not an SQLite database.",
            "Name another file, or move this one away."),
        .init(
            "outcomes-mismatch", .failure,
            "A generator answered other cases than those of its batch.",
            "Correct the generator; the batch is generated again."),
        .init(
            "position-missing", .unavailable,
            "The store has no position for a partition that it should have one for.",
            "Is it the store that the pipeline has used before?"),
        .init(
            "position-moved", .passing,
            "Another process has read on from the stored position.",
            "Nothing: this process gives the partition up."),
        .init(
            "rule-conflict", .unavailable,
            "Another rule is in force under the same revision.",
            "Raise the \"revision\" of the rule that is to be the newest."),
        .init(
            "rule-outdated", .passing,
            "Another process seals under a newer rule.",
            "Nothing, or start this process with the newer file."),
        .init(
            "schema-newer", .unavailable,
            "An embedded store was written by a later version of the program.",
            "Use that version, or another file."),
        .init(
            "state-owned", .unavailable,
            "A stage that is to take over another one's cases has some of its own.",
            "Let one of the two run out under its own name, or end it by `penstock migrate --abandon`."
        ),
        .init(
            "state-unowned", .unavailable,
            "The store has open cases of a stage that the files no longer name.",
            "Move them by `penstock migrate --rename`, or end them by `--abandon`; the message says which."
        ),
        .init(
            "store-authentication", .unavailable,
            "PostgreSQL refuses the login.",
            "Check user, password and pg_hba.conf."),
        .init(
            "store-busy", .passing,
            "The store has no connection, or no lock, to give.",
            "Lower \"connections\" or raise max_connections; of a file, see who else has it open."),
        .init(
            "store-changed", .unavailable,
            "The tables were made by a step whose text has changed since.",
            "Use the build that made them, or one that leaves old steps as they were."),
        .init(
            "store-closed", .passing,
            "The store was used while the process stopped.",
            "Nothing."),
        .init(
            "store-conflict", .passing,
            "Two transactions got into each other's way.",
            "Nothing: it is tried again."),
        .init(
            "store-constraint", .record,
            "The store refuses a row by a constraint.",
            "Read its message; report it if the tables are ours alone."),
        .init(
            "store-corrupt", .unavailable,
            "The embedded store is damaged.",
            "Restore a backup, or save what can be read: sqlite3 FILE .recover"),
        .init(
            "store-damaged", .passing,
            "A row of the ledger holds what Penstock does not write.",
            "Find out who else writes to the store; mend the row, or restore it from a backup."),
        .init(
            "store-data", .record,
            "The store can't take a value.",
            "Read its message: which value, and why?"),
        .init(
            "store-encoding", .unavailable, "The database's encoding can't hold every text.",
            "Make the database with encoding UTF8."),
        .init(
            "store-error", .failure,
            "SQLite reports an error of no known kind.",
            "Read its message."),
        .init(
            "store-full", .passing,
            "The store's disk is full.",
            "Free some space; everything waits meanwhile."),
        .init(
            "store-in-use", .unavailable,
            "Another `run` works on the embedded store.",
            "Stop it first; the message names it."),
        .init(
            "store-io-error", .passing,
            "The disk of the embedded store fails.",
            "Look at the disk and at the system's log."),
        .init(
            "store-linked", .unavailable,
            "The embedded store's file has several names (hard links).",
            "Remove the others, or make a copy."),
        .init(
            "store-missing", .unavailable,
            "PostgreSQL has no such database.",
            "Create it, then run `penstock migrate`."),
        .init(
            "store-newer", .unavailable,
            "The tables were made by a newer version of the program.",
            "Use that version."),
        .init(
            "store-not-writable", .unavailable,
            "The embedded store's file or folder can't be written to.",
            "Give this user the rights to both."),
        .init(
            "store-options", .unavailable,
            "PostgreSQL, or a pooler before it, does not take the settings of a session.",
            "Leave the setting out; for PgBouncer see ignore_startup_parameters."),
        .init(
            "store-permission", .unavailable,
            "PostgreSQL does not allow what was asked for.",
            "Grant the user what the message names."),
        .init(
            "store-read-only", .passing,
            "The server takes no writes.",
            "The address must name the primary server."),
        .init(
            "store-refused", .unavailable,
            "What answers at the address does not let a session begin.",
            "Read its message: is it PostgreSQL, and does that database take connections?"),
        .init(
            "store-replaced", .unavailable,
            "The embedded store's file was deleted or replaced while it was in use.",
            "Bring the file back, or start anew with what is there."),
        .init(
            "store-resources", .passing,
            "The server lacks memory or another resource.",
            "Look at the server's log."),
        .init(
            "store-schema", .unavailable,
            "Tables are missing, or are older than the program.",
            "Run `penstock migrate`."),
        .init(
            "store-statement", .failure,
            "The server refuses a statement.",
            "Read its message; report it if the tables are ours alone."),
        .init(
            "store-statement-stale", .passing,
            "A prepared statement no longer fits the tables.",
            "Nothing: it is prepared anew."),
        .init(
            "store-timeout", .passing,
            "A statement took longer than the server allows.",
            "Raise statement_timeout if this is expected."),
        .init(
            "store-unavailable", .passing,
            "The store can't be reached.",
            "Check the address, and whether the server runs."),
        .init(
            "store-version", .unavailable,
            "The server is older than PostgreSQL 13.",
            "Use a newer server."),
    ]
}

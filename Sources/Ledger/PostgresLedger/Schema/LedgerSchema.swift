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
            renewal, revisions, refusals, logs, repeats,
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

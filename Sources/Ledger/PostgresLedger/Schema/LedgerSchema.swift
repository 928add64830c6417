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
            """, refusals, revisions,
        ], tables: columns)
}

public import PipelineCore

/// How much of a component's tables a database has.
public struct MigrationState: Sendable, Hashable {
    /// 0 without any.
    public var version: Int
    /// What this program's version has.
    public var known: Int
    /// Tables and columns that should be there, as `schema.table.column`; empty for an older
    /// version.
    public var missing: [String]
    /// Steps, counted from 1, whose text was another when the database saw them.
    public var changed: [Int]

    /// What is to be told about it.
    public func finding(_ subject: String) -> ResourceFinding {
        if version == 0 {
            return ResourceFinding(
                subject, .wrong, "its tables are not there", hint: "run `penstock migrate`")
        }
        if version < known {
            return ResourceFinding(
                subject, .wrong, "its tables have version \(version), not \(known)",
                hint: "run `penstock migrate`")
        }
        if version > known {
            return ResourceFinding(
                subject, .wrong,
                "its tables have version \(version), this program knows \(known)",
                hint: "use the newer program")
        }
        if let step = changed.first {
            return ResourceFinding(
                subject, .wrong,
                "step \(step) of its tables was made by another program: its text has changed since",
                hint: "use the build that made it, or one that leaves old steps as they were")
        }
        if !missing.isEmpty {
            return ResourceFinding(
                subject, .wrong,
                "its tables have version \(version), but lack \(missing.joined(separator: ", "))",
                hint: "somebody took them away: restore them from a backup")
        }
        return ResourceFinding(subject, .ok, "its tables have version \(version)")
    }
}

extension PostgresConnection {
    /// Looks how much of a component's tables the database has. Only reads.
    public func state(of migration: PostgresMigration) throws -> MigrationState {
        let known = migration.steps.count
        let table = try query("select to_regclass($1 || '.schema_versions') is not null") {
            $0.add(text: migration.schema)
        }
        let version = table.bool(0, 0) ? try self.version(of: migration) : 0
        let changed = version == 0 ? [] : try changedSteps(of: migration)
        return MigrationState(
            version: version, known: known,
            missing: version == known ? try missingColumns(of: migration) : [], changed: changed)
    }

    private func missingColumns(of migration: PostgresMigration) throws -> [String] {
        let columns = migration.tables.flatMap { table, columns in columns.map { (table, $0) } }
        let missing = try query(
            """
            select t, c from unnest($2::text[], $3::text[]) with ordinality x(t, c, ord)
            where not exists (
              select from pg_attribute a join pg_class r on r.oid = a.attrelid
              join pg_namespace n on n.oid = r.relnamespace
              where n.nspname = $1 and r.relname = t and a.attname = c and not a.attisdropped)
            order by t, ord
            """
        ) {
            $0.add(text: migration.schema)
            $0.add(texts: columns.map(\.0))
            $0.add(texts: columns.map(\.1))
        }
        return (0..<missing.rowCount).map {
            "\(migration.schema).\(missing.text($0, 0)).\(missing.text($0, 1))"
        }
    }
}

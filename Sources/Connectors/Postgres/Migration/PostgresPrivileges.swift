public import PipelineCore

/// What a role must be allowed to do with a component's tables, sequences and functions.
public struct PostgresPrivileges: Sendable {
    public var schema: String
    /// By relation, as `SELECT` or `USAGE`. Relations that are not there are passed over.
    public var relations: [String: [String]]

    public init(schema: String, relations: [String: [String]]) {
        self.schema = schema
        self.relations = relations
    }
}

extension PostgresConnection {
    /// Names the rights that this session's role lacks; `nil` when it has all. Reads catalogues
    /// only, for which nobody needs a right.
    public func finding(
        _ subject: String, lacking privileges: PostgresPrivileges
    ) throws -> ResourceFinding? {
        let wanted = privileges.relations.sorted { $0.key < $1.key }
            .flatMap { relation, rights in rights.map { (relation, $0) } }
        let lacking = try query(
            """
            select 'USAGE on schema ' || quote_ident(nspname) from pg_namespace
            where nspname = $1 and not has_schema_privilege(oid, 'USAGE')
            union all
            select r || ' on ' || format('%I.%I', $1, t) from (
              select t, r, ord, case c.relkind when 'S' then has_sequence_privilege(c.oid, r)
                else has_table_privilege(c.oid, r) end as is_granted
              from unnest($2::text[], $3::text[]) with ordinality x(t, r, ord)
              join pg_class c on c.relname = t
              join pg_namespace n on n.oid = c.relnamespace and n.nspname = $1
              order by ord) x where not is_granted
            union all
            select 'EXECUTE on function ' || format('%I.%I', $1, proname) from pg_proc f
            join pg_namespace n on n.oid = f.pronamespace and n.nspname = $1
            where not has_function_privilege(f.oid, 'EXECUTE')
            """
        ) {
            $0.add(text: privileges.schema)
            $0.add(texts: wanted.map(\.0))
            $0.add(texts: wanted.map(\.1))
        }
        let rights = (0..<lacking.rowCount).map { lacking.text($0, 0) }
        if rights.isEmpty { return nil }
        let role = try query("select quote_ident(current_user)").text(0, 0)
        return ResourceFinding(
            subject, .wrong, "\(role) lacks \(rights.joined(separator: ", "))",
            hint: "as their owner: GRANT \(rights[0]) TO \(role)"
                + (rights.count > 1 ? ", and so on" : ""))
    }
}

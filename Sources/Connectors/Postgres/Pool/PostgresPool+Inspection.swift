internal import Calendar
public import PipelineCore

extension PostgresPool {
    /// Connects and asks whether the server can be written to; where its disk was found full,
    /// whether it still is.
    public func probe() async throws {
        // As work: who only looks may be many, and have every connection that they may have.
        try await withConnection { connection in
            let answer = try connection.query(
                """
                select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean,
                  current_setting('server_version_num')::int
                """)
            if answer.bool(0, 0) {
                throw PostgresError(sqlState: "25006", message: "the server is read-only")
                    .pipelineError(server: connection.server)
            }
            if answer.int(0, 1) < 130_000 {
                throw PipelineError.fatal(
                    .storeVersion, "PostgreSQL at \(connection.server) is older than 13")
            }
        }
        if origin.isFull { try await checkSpace() }
    }

    /// A server has no word for the space it has left: it is told by taking some, for a moment.
    private func checkSpace() async throws {
        do {
            try await withTransaction(for: .reading) { connection in
                try connection.run("SET LOCAL temp_tablespaces = ''")
                try connection.run(
                    """
                    create temp table penstock_space on commit drop as
                    select md5(n::text) from generate_series(1, 20000) n
                    """)
            }
        } catch let error as PipelineError
            where error.disposition == .retryable || error.code == .storeFull
        { throw error } catch {
            // This user may not ask so: whoever writes next finds out.
        }
        origin.hasSpace()
    }

    /// Says what the server is, and lends a connection in a transaction that can't write.
    ///
    /// - Parameters:
    ///   - timeout: of each statement.
    ///   - body: finds more.
    /// - Throws: what ``withConnection(_:)`` throws.
    public func inspect(
        timeout: Duration,
        _ body: @escaping @Sendable (PostgresConnection) throws -> [ResourceFinding]
    ) async throws -> [ResourceFinding] {
        try await withTransaction("BEGIN READ ONLY", for: .reading) { connection in
            try connection.run("SET LOCAL statement_timeout = \(timeout.wholeMilliseconds)")
            return try [connection.serverFinding()] + body(connection)
        }
    }
}

extension PostgresConnection {
    /// What is wrong with the encoding of the database; `nil` when every text can be kept in it.
    private func encodingProblem() throws -> String? {
        let answer = try query("select current_setting('server_encoding')").text(0, 0)
        if answer == "UTF8" || answer == "SQL_ASCII" { return nil }
        return "has the encoding \(answer), which lacks most characters"
    }

    private static let encodingRemedy =
        "make one with `createdb --encoding UTF8 --template template0`"

    /// - Throws: `fatal` `store-encoding` for a database that can't hold every text.
    func checkEncoding() throws {
        guard let problem = try encodingProblem() else { return }
        let database = try query("select current_database()::text").text(0, 0)
        throw PipelineError.fatal(
            .storeEncoding,
            "the database \(database) in PostgreSQL at \(server) \(problem); \(Self.encodingRemedy)"
        )
    }

    fileprivate func serverFinding() throws -> ResourceFinding {
        let answer = try query(
            """
            select split_part(current_setting('server_version'), ' ', 1),
              current_setting('server_version_num')::int, current_database()::text,
              pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean
            """)
        let server = "PostgreSQL \(answer.text(0, 0)), database \(answer.text(0, 2))"
        if answer.int(0, 1) < 130_000 {
            return ResourceFinding(.wrong, server, hint: "13 is the oldest that will do")
        }
        if answer.bool(0, 3) {
            return ResourceFinding(
                .wrong, "\(server), which takes no writes",
                hint: "the address must name the primary server")
        }
        if let problem = try encodingProblem() {
            return ResourceFinding(
                .wrong, "\(server), which \(problem)", hint: Self.encodingRemedy)
        }
        return ResourceFinding(.ok, server)
    }
}

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

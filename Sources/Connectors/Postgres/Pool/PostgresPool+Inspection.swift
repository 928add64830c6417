public import PipelineCore

extension PostgresPool {
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
        try await withTransaction("BEGIN READ ONLY", .reading) { connection in
            try connection.run("SET LOCAL statement_timeout = \(timeout.wholeMilliseconds)")
            return try [connection.serverFinding()] + body(connection)
        }
    }
}

extension PostgresConnection {
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
        return ResourceFinding(.ok, server)
    }
}

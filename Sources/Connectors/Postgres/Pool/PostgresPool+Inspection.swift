internal import Calendar
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
            "store-encoding",
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

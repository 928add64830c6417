internal import CPostgres

/// A statement as the server has prepared it.
struct PreparedStatement {
    var name: String
    var types: [Oid]
}

extension PostgresConnection {
    /// Most statements that are kept prepared; more are a sign of SQL that is put together.
    static let statementLimit = 256

    /// Runs one statement and answers its rows. Prepared at its first use, by its text, unless a
    /// pooler stands in between.
    ///
    /// - Parameters:
    ///   - sql: one statement, with `$1`, `$2` … for the parameters.
    ///   - bind: adds the parameters, in order.
    /// - Throws: ``PipelineCore/PipelineError``. After a lost connection it is unknown whether
    ///   the statement took effect.
    @discardableResult
    public func query(_ sql: String, bind: (PostgresParameters) -> Void = { _ in }) throws
        -> PostgresResult
    {
        if !localSettings.text.isEmpty && isOutsideTransaction {
            return try pipeline { try $0.query(sql, bind: bind) }[0]
        }
        try checkCancellation()
        parameters.removeAll()
        bind(parameters)
        if isPooled { try sendUnnamed(sql) } else { try send(prepared(sql)) }
        try flush()
        return try onlyResult()
    }

    /// Runs statements without parameters, separated by semicolons, as one message and one
    /// transaction.
    public func run(_ script: PostgresScript) throws { try copy(script, from: []) }

    /// The statement for the bound parameters' types.
    func prepared(_ sql: String) throws -> PreparedStatement {
        if let known = statements[sql], known.types == parameters.types { return known }
        if statements.count >= Self.statementLimit {
            try run("DEALLOCATE ALL")
            statements.removeAll()
        }
        let statement = try sendPreparation(sql)
        try flush()
        try onlyResult()
        statements[sql] = statement
        return statement
    }

    func sendPreparation(_ sql: String) throws -> PreparedStatement {
        statementsPrepared += 1
        let statement = PreparedStatement(name: "s\(statementsPrepared)", types: parameters.types)
        let sent = unsafe PQsendPrepare(
            handle, statement.name, sql, Int32(statement.types.count), statement.types)
        guard sent == 1 else { throw connectionError() }
        return statement
    }

    func send(_ statement: PreparedStatement) throws {
        let count = Int32(parameters.slots.count)
        let sent = unsafe parameters.withPointers { values, lengths, formats in
            unsafe PQsendQueryPrepared(
                handle, statement.name, count, values, lengths, formats, 1)
        }
        guard sent == 1 else { throw connectionError() }
    }

    /// Sends a statement that nobody can use again: the next one may run in another session.
    func sendUnnamed(_ sql: String) throws {
        let types = parameters.types
        let sent = unsafe parameters.withPointers { values, lengths, formats in
            unsafe PQsendQueryParams(
                handle, sql, Int32(types.count), types, values, lengths, formats, 1)
        }
        guard sent == 1 else { throw connectionError() }
    }

    /// Sends what sets the settings of the transaction that begins with it.
    func sendLocalSettings() throws {
        let sent = unsafe PQsendQueryParams(
            handle, "select \(localSettings.text)", 0, nil, nil, nil, nil, 1)
        guard sent == 1 else { throw connectionError() }
    }

    @discardableResult
    private func onlyResult() throws -> PostgresResult {
        var last: PostgresResult?
        while let result = try nextResult() { last = result }
        guard let last else { throw connectionError() }
        if let error = error(of: last) { throw error }
        return last
    }
}

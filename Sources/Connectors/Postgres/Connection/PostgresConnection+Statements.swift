internal import CPostgres
internal import PipelineCore

/// A statement as the server has prepared it.
struct PreparedStatement {
    var name: String
    var types: [Oid]
}

extension PostgresConnection {
    /// Most statements that are kept prepared; more are a sign of SQL that is put together.
    private static let statementLimit = 256

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
        return try timed {
            if isPooled { try sendUnnamed(sql) } else { try send(prepared(sql)) }
            try flush()
            return try onlyResult()
        }
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

    fileprivate func sendPreparation(_ sql: String) throws -> PreparedStatement {
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

extension PostgresConnection {
    /// Runs `body` in a transaction (READ COMMITTED unless `begin` says otherwise): committed
    /// when it returns, rolled back when it throws.
    ///
    /// - Parameter begin: the statement that opens it, such as `BEGIN ISOLATION LEVEL
    ///   REPEATABLE READ READ ONLY`.
    /// - Throws: what `body` throws. When the commit's answer is lost, `retryable`
    ///   `store-unavailable`: the effect is unknown.
    public func transaction<T>(_ begin: PostgresScript = "BEGIN", _ body: () throws -> T) throws
        -> T
    {
        if localSettings.text.isEmpty {
            try run(begin)
        } else {
            // Behind its beginning, which has to come first where it names an isolation.
            try execute("\(begin); select \(localSettings)", from: [])
        }
        let value: T
        do {
            value = try body()
        } catch {
            if !isSpent {
                do { try run("ROLLBACK") } catch { isSpent = true }
            }
            throw error
        }
        let result = try query("COMMIT")
        guard result.command == "COMMIT" else {
            throw PipelineError.fatal(
                .storeStatement, "a failed transaction was to be committed; it was rolled back")
        }
        return value
    }
}

/// Statements to be sent together.
public struct PostgresPipeline {
    /// An answer to be read.
    fileprivate enum Expected {
        case rows
        /// The statement can be used by others once the server has said so.
        case preparation(sql: String, PreparedStatement)
    }
    private let connection: PostgresConnection
    fileprivate var expected: [Expected] = []
    /// Prepared further up in this pipeline.
    private var prepared: [String: PreparedStatement] = [:]

    init(connection: PostgresConnection) { self.connection = connection }

    /// Adds a statement, without waiting for its answer. A new one is prepared on the way.
    public mutating func query(_ sql: String, bind: (PostgresParameters) -> Void = { _ in }) throws
    {
        let parameters = connection.parameters
        parameters.removeAll()
        bind(parameters)
        if connection.isPooled {
            try connection.sendUnnamed(sql)
            return expected.append(.rows)
        }
        let known = [prepared[sql], connection.statements[sql]].lazy.compactMap { $0 }
            .first { $0.types == parameters.types }
        let statement = try known ?? prepare(sql)
        try connection.send(statement)
        expected.append(.rows)
    }

    private mutating func prepare(_ sql: String) throws -> PreparedStatement {
        let statement = try connection.sendPreparation(sql)
        prepared[sql] = statement
        expected.append(.preparation(sql: sql, statement))
        return statement
    }
}

extension PostgresConnection {
    /// Runs several statements in one round trip and, unless a transaction is open, as one
    /// transaction ([pipeline
    /// mode](https://www.postgresql.org/docs/current/libpq-pipeline-mode.html)).
    ///
    /// - Parameter body: names the statements.
    /// - Returns: a result for each.
    /// - Throws: the first error, or what `body` throws; none of the statements has had an
    ///   effect then.
    public func pipeline(_ body: (inout PostgresPipeline) throws -> Void) throws -> [PostgresResult]
    {
        try checkCancellation()
        return try timed { try pipelined(body) }
    }

    private func pipelined(
        _ body: (inout PostgresPipeline) throws -> Void
    ) throws -> [PostgresResult] {
        let setsLocally = !localSettings.text.isEmpty && isOutsideTransaction
        guard unsafe PQenterPipelineMode(handle) == 1 else { throw connectionError() }
        var pipeline = PostgresPipeline(connection: self)
        var refusal: (any Error)?
        do {
            if setsLocally {
                try sendLocalSettings()
                pipeline.expected.append(.rows)
            }
            try body(&pipeline)
        } catch {
            refusal = error
            try sendFailure(&pipeline)
        }
        guard unsafe PQpipelineSync(handle) == 1 else { throw connectionError() }
        try flush()
        let (results, failure) = try collect(pipeline.expected)
        guard unsafe PQexitPipelineMode(handle) == 1 else { throw connectionError() }
        if let error = refusal ?? failure { throw error }
        return setsLocally ? Array(results.dropFirst()) : results
    }

    /// What was sent must not take effect: a statement that fails makes the server undo those
    /// before it.
    private func sendFailure(_ pipeline: inout PostgresPipeline) throws {
        let sent = unsafe PQsendQueryParams(handle, "abandoned", 0, nil, nil, nil, nil, 1)
        guard sent == 1 else { throw connectionError() }
        pipeline.expected.append(.rows)
    }

    /// Reads the answers and the synchronisation point behind them.
    private func collect(_ expected: [PostgresPipeline.Expected]) throws
        -> ([PostgresResult], (any Error)?)
    {
        var results: [PostgresResult] = []
        var failure: (any Error)?
        for answer in expected {
            while let result = try nextResult() {
                failure = failure ?? error(of: result)
                switch answer {
                case .rows: results.append(result)
                case .preparation(let sql, let statement):
                    if unsafe PQresultStatus(result.handle) == PGRES_COMMAND_OK {
                        statements[sql] = statement
                    }
                }
            }
            if isSpent { throw failure ?? connectionError() }
        }
        while let result = try nextResult() {
            failure = failure ?? error(of: result)
            if unsafe PQresultStatus(result.handle) == PGRES_PIPELINE_SYNC {
                return (results, failure)
            }
            if isSpent { break }
        }
        throw failure ?? connectionError()
    }
}

internal import CPostgres

/// Statements to be sent together.
public struct PostgresPipeline {
    /// An answer to be read.
    enum Expected {
        case rows
        /// The statement can be used by others once the server has said so.
        case preparation(sql: String, PreparedStatement)
    }
    let connection: PostgresConnection
    var expected: [Expected] = []
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

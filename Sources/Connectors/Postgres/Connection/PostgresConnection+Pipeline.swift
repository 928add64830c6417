internal import CPostgres

/// Statements to be sent together.
public struct PostgresPipeline {
    let connection: PostgresConnection
    var count = 0

    /// Sends a statement without waiting for its answer.
    public mutating func query(_ sql: String, bind: (PostgresParameters) -> Void = { _ in }) throws
    {
        let parameters = connection.parameters
        parameters.removeAll()
        bind(parameters)
        guard let statement = connection.statements[sql], statement.types == parameters.types else {
            throw UnpreparedStatement(sql: sql)
        }
        try connection.send(statement)
        count += 1
    }
}

/// A statement that must be prepared before the pipeline can be sent.
private struct UnpreparedStatement: Error {
    var sql: String
}

extension PostgresConnection {
    /// Runs several statements in one round trip and, unless a transaction is open, as one transaction
    /// ([pipeline mode](https://www.postgresql.org/docs/current/libpq-pipeline-mode.html)).
    ///
    /// - Parameter body: names the statements. It may be called more than once: it must do nothing else.
    /// - Returns: a result for each.
    /// - Throws: the first error; none of the statements has had an effect then.
    public func pipeline(_ body: (inout PostgresPipeline) throws -> Void) throws -> [PostgresResult]
    {
        while true {
            try checkCancellation()
            do {
                return try runPipeline(body)
            } catch let missing as UnpreparedStatement {
                // Still bound: the parameters' types are those that the statement wants.
                _ = try prepared(missing.sql)
            }
        }
    }

    private func runPipeline(_ body: (inout PostgresPipeline) throws -> Void) throws
        -> [PostgresResult]
    {
        guard unsafe PQenterPipelineMode(handle) == 1 else { throw connectionError() }
        var pipeline = PostgresPipeline(connection: self)
        do {
            try body(&pipeline)
        } catch {
            // What was sent must not take effect: without the final sync the server keeps it open, so break it off.
            try abandonPipeline(sent: pipeline.count)
            throw error
        }
        guard unsafe PQpipelineSync(handle) == 1 else { throw connectionError() }
        try flush()
        let (results, failure) = try collect(pipeline.count)
        guard unsafe PQexitPipelineMode(handle) == 1 else { throw connectionError() }
        if let failure { throw failure }
        return results
    }

    private func abandonPipeline(sent: Int) throws {
        if sent > 0 {
            // An error in the pipeline makes the server forget the statements before it.
            let sent = unsafe PQsendQueryParams(
                handle, "penstock abandons", 0, nil, nil, nil, nil, 1)
            guard sent == 1 else { throw connectionError() }
        }
        guard unsafe PQpipelineSync(handle) == 1 else { throw connectionError() }
        try flush()
        _ = try collect(sent > 0 ? sent + 1 : 0)
        guard unsafe PQexitPipelineMode(handle) == 1 else { throw connectionError() }
    }

    /// Reads the results of `count` statements and the synchronisation point behind them.
    private func collect(_ count: Int) throws -> ([PostgresResult], (any Error)?) {
        var results: [PostgresResult] = []
        var failure: (any Error)?
        for _ in 0..<count {
            while let result = try nextResult() {
                failure = failure ?? error(of: result)
                results.append(result)
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

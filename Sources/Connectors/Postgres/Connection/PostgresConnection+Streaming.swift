internal import CPostgres
internal import Concurrency
internal import Metrics
internal import PipelineCore

extension PostgresConnection {
    /// Runs that are sent and not answered: one that the server works on, and one that lies ready
    /// for it.
    static let runsInFlight = 2

    /// Runs one statement over and over, each run a transaction of its own, and sends the next run
    /// while the server works on the last one, so that it never waits for this process ([pipeline
    /// mode](https://www.postgresql.org/docs/current/libpq-pipeline-mode.html)).
    ///
    /// The next run has begun, as a rule, before `answered` hears of the one before: a run must not
    /// rely on its predecessor's success unless the statement itself does.
    ///
    /// - Parameters:
    ///   - bind: adds the parameters of the next run; answers `false` when there is none. It is
    ///     asked again after each answer.
    ///   - answered: is told each run's answer, in order.
    /// - Throws: when the connection is lost, or was cancelled: what became of the runs that were
    ///   not answered is unknown. Errors of single runs are answers.
    public func stream(
        _ sql: String, bind: (PostgresParameters) -> Bool,
        answered: (Result<PostgresResult, any Error>) -> Void
    ) throws {
        try checkCancellation()
        guard bindNext(bind) else { return }
        let statement = isPooled ? nil : try prepared(sql)
        guard unsafe PQenterPipelineMode(handle) == 1 else { throw connectionError() }
        // When each of those in flight was sent.
        var sent: [UInt64] = []
        sent.reserveCapacity(Self.runsInFlight)
        func send() throws {
            sent.append(MonotonicTime.nanosecondsNow)
            try sendRun(sql, statement)
        }
        func sendAhead() throws {
            while sent.count < Self.runsInFlight, bindNext(bind) { try send() }
        }
        try send()
        try sendAhead()
        var lastAnswer: UInt64 = 0
        while !sent.isEmpty {
            let answer = try readRun()
            // The server begins a run when it has answered the one before.
            let begun = max(sent.removeFirst(), lastAnswer)
            lastAnswer = MonotonicTime.nanosecondsNow
            times?.observe(nanoseconds: lastAnswer - begun)
            answered(answer)
            try sendAhead()
        }
        guard unsafe PQexitPipelineMode(handle) == 1 else { throw connectionError() }
    }

    /// Nothing new is begun once the task was cancelled.
    private func bindNext(_ bind: (PostgresParameters) -> Bool) -> Bool {
        if signal.requestedAt != nil { return false }
        parameters.removeAll()
        return bind(parameters)
    }

    /// Sends what is bound, with the end of its transaction behind it.
    private func sendRun(_ sql: String, _ statement: PreparedStatement?) throws {
        if let statement {
            precondition(parameters.types == statement.types, "every run has the same types")
            try send(statement)
        } else {
            try sendLocalSettings()
            try sendUnnamed(sql)
        }
        guard unsafe PQpipelineSync(handle) == 1 else { throw connectionError() }
        try flush()
    }

    private func readRun() throws -> Result<PostgresResult, any Error> {
        var answer: Result<PostgresResult, any Error>?
        // What sets a pooled transaction's settings answers first.
        for isAnswer in isPooled ? [false, true] : [true] {
            while let result = try nextResult() {
                let failed = error(of: result).map { Result<PostgresResult, any Error>.failure($0) }
                answer = answer ?? failed ?? (isAnswer ? .success(result) : nil)
                if isSpent { break }
            }
        }
        if !isSpent, let answer, let end = try nextResult(),
            unsafe PQresultStatus(end.handle) == PGRES_PIPELINE_SYNC
        {
            return answer
        }
        if case .failure(let error) = answer { throw error }
        throw connectionError()
    }
}

extension PostgresConnection {
    /// Sends statements as one message, one transaction unless one is open, and feeds each `COPY
    /// … FROM STDIN (FORMAT binary)` among them, in order.
    ///
    /// - Parameters:
    ///   - script: what is interpolated becomes a literal.
    ///   - sources: write the rows of one COPY each: ``PostgresWriter/row(columns:)``, then its
    ///     values. All rows of one COPY are held in memory.
    /// - Returns: a result for each statement, in the text format: row counts,
    ///   ``PostgresResult/int64(_:_:)`` and ``PostgresResult/text(_:_:)`` only.
    @discardableResult
    public func copy(_ script: PostgresScript, from sources: [(PostgresWriter) -> Void]) throws
        -> [PostgresResult]
    {
        if localSettings.text.isEmpty || !isOutsideTransaction {
            return try execute(script, from: sources)
        }
        // One message is one transaction, and its first statement sets what holds in it.
        let results = try execute("select \(localSettings); \(script)", from: sources)
        return Array(results.dropFirst())
    }

    /// Sends the script as it is.
    @discardableResult
    func execute(_ script: PostgresScript, from sources: [(PostgresWriter) -> Void]) throws
        -> [PostgresResult]
    {
        try checkCancellation()
        return try timed { try executed(script, from: sources) }
    }

    private func executed(_ script: PostgresScript, from sources: [(PostgresWriter) -> Void]) throws
        -> [PostgresResult]
    {
        guard unsafe PQsendQuery(handle, script.text) == 1 else { throw connectionError() }
        try flush()
        var results: [PostgresResult] = []
        var failure: (any Error)?
        var remaining = sources[...]
        while let result = try nextResult() {
            let status = unsafe PQresultStatus(result.handle)
            if status == PGRES_COPY_OUT {
                preconditionFailure("COPY … TO STDOUT is not supported")
            }
            if status == PGRES_COPY_IN {
                if let source = remaining.popFirst() {
                    try feed(source)
                } else {
                    try endCopy(error: "more COPY statements than sources")
                }
            } else {
                failure = failure ?? error(of: result)
                results.append(result)
            }
        }
        if let failure { throw failure }
        precondition(remaining.isEmpty, "fewer COPY statements than sources")
        return results
    }

    private func feed(_ source: (PostgresWriter) -> Void) throws {
        parameters.removeAll()
        let buffer = parameters.buffer
        // PGCOPY\n\377\r\n\0, flags, length of the extension.
        buffer.put(0x5047_434F_5059_0AFF as UInt64)
        buffer.put(0x0D0A as UInt16)
        buffer.put(0 as UInt8)
        buffer.put(0 as UInt64)
        source(PostgresWriter(buffer: buffer))
        buffer.put(Int16(-1))
        while true {
            let accepted = unsafe PQputCopyData(
                handle, buffer.base.assumingMemoryBound(to: CChar.self), Int32(buffer.count))
            if accepted == 1 { break }
            if accepted < 0 { throw connectionError() }
            try flush()
        }
        try endCopy(error: nil)
    }

    private func endCopy(error: String?) throws {
        while true {
            let accepted = unsafe PQputCopyEnd(handle, error)
            if accepted == 1 { break }
            if accepted < 0 { throw connectionError() }
            try flush()
        }
        try flush()
    }
}

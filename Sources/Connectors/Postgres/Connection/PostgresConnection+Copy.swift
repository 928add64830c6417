internal import CPostgres
internal import PipelineCore

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

internal import CPostgres
internal import PipelineCore

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
                "store-statement", "a failed transaction was to be committed; it was rolled back")
        }
        return value
    }
}

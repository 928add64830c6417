/// What the server said about a statement; the cause of the ``PipelineCore/PipelineError`` that
/// is thrown.
public struct PostgresError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Five characters ([list](https://www.postgresql.org/docs/current/errcodes-appendix.html));
    /// empty when the connection broke without a word from the server.
    public var sqlState: String
    /// The primary message. Never the detail, which repeats values.
    public var message: String
    public var constraint: String?

    public init(sqlState: String, message: String, constraint: String? = nil) {
        self.sqlState = sqlState
        self.message = message
        self.constraint = constraint
    }

    public var description: String { sqlState.isEmpty ? message : "\(message) (\(sqlState))" }
}

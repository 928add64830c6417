internal import PipelineCore

/// Where a Redis server is, who logs in, and how long anything may take.
struct RedisConfiguration: Sendable {
    var host: String
    var port: UInt16 = 6379
    /// Empty for Redis' default user.
    var user = ""
    /// Empty to not log in.
    var password = ""
    var database = 0
    /// How many connections are opened at most; one is enough until a core is busy with replies.
    var connections = 2
    /// For connecting, and again for logging in.
    var connectTimeout = Duration.seconds(1)
    /// For a round trip, whatever it carries.
    var commandTimeout = Duration.seconds(1)
    /// A value that is longer is refused.
    var maxValueBytes = 8 << 20

    /// Most commands in a round trip, a single call's own excepted.
    var maxBatchCommands = 1024
    /// Most bytes in a round trip, a single call's own excepted.
    static let maxBatchBytes = 1 << 20
    /// Most commands that wait for their round trip; more are refused at once.
    static let maxWaitingCommands = 1 << 17

    init(host: String) { self.host = host }

    /// How messages name the server: never with the user or the password.
    var name: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

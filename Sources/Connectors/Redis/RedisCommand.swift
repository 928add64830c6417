internal import Calendar
internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// One command: its name and its arguments, of any bytes, in one piece of memory.
struct RedisCommand: Sendable {
    private(set) var bytes: [UInt8]
    /// The length of each argument, the name's first.
    private(set) var lengths: [Int]

    init(_ name: StaticString, capacity: Int = 64) {
        bytes = []
        bytes.reserveCapacity(capacity)
        lengths = []
        append("\(name)")
    }

    private mutating func append(_ argument: String) {
        let before = bytes.count
        bytes += argument.utf8
        lengths.append(bytes.count - before)
    }

    private mutating func append(_ argument: Bytes) {
        bytes += argument
        lengths.append(argument.count)
    }

    func appending(_ argument: String) -> RedisCommand {
        var command = self
        command.append(argument)
        return command
    }
}

extension RedisCommand {
    static var ping: RedisCommand { RedisCommand("PING") }

    /// [INFO](https://redis.io/docs/latest/commands/info/): version, role and memory among others.
    static var info: RedisCommand { RedisCommand("INFO") }

    /// [MGET](https://redis.io/docs/latest/commands/mget/): a key of another type counts as a miss.
    static func get(_ keys: ArraySlice<String>) -> RedisCommand {
        var command = RedisCommand("MGET", capacity: keys.count * 48)
        for key in keys { command.append(key) }
        return command
    }

    /// [SET](https://redis.io/docs/latest/commands/set/) `key value PX milliseconds`.
    static func set(_ entry: CacheEntry) -> RedisCommand {
        var command = RedisCommand(
            "SET", capacity: entry.key.utf8.count + entry.value.count + 32)
        command.append(entry.key)
        command.append(entry.value)
        command.append("PX")
        command.append(String(milliseconds(entry.timeToLive)))
        return command
    }

    /// At least one; at most a century, since Redis refuses what overflows when added to now.
    private static func milliseconds(_ duration: Duration) -> Int64 {
        min(max(1, duration.wholeMilliseconds), 3_155_760_000_000)
    }
}

/// A caller that waits for the replies to its commands.
final class RedisCall: Sendable {
    private enum State {
        /// Not waiting yet.
        case new
        /// In the queue: may still be cancelled.
        case waiting(Resumption<[RedisReply]>)
        /// Written, or about to be: only the reply or a failure ends it.
        case sent(Resumption<[RedisReply]>)
        case ended
    }
    let commands: [RedisCommand]
    let byteCount: Int
    private let state = Mutex(State.new)

    init(_ commands: [RedisCommand]) {
        self.commands = commands
        byteCount = commands.reduce(0) { $0 + $1.bytes.count }
    }

    /// The caller waits from now on; `false` when it was cancelled before, and has been told.
    func begin(_ resumption: Resumption<[RedisReply]>) -> Bool {
        let isCancelled = state.withLock { state in
            guard case .new = state else { return true }
            state = .waiting(resumption)
            return false
        }
        if isCancelled { resumption.resume(throwing: CancellationError()) }
        return !isCancelled
    }

    /// Takes the call out of the queue for sending; `false` when it was cancelled.
    func take() -> Bool {
        state.withLock { state in
            guard case .waiting(let resumption) = state else { return false }
            state = .sent(resumption)
            return true
        }
    }

    /// Ends a call that has not been sent.
    func cancel() {
        let resumption: Resumption<[RedisReply]>? = state.withLock { state in
            switch state {
            case .new:
                state = .ended
                return nil
            case .waiting(let resumption):
                state = .ended
                return resumption
            case .sent, .ended: return nil
            }
        }
        resumption?.resume(throwing: CancellationError())
    }

    /// Ends the call, unless it has ended.
    func finish(_ result: Result<[RedisReply], any Error>) {
        let resumption: Resumption<[RedisReply]>? = state.withLock { state in
            switch state {
            case .new, .ended: return nil
            case .waiting(let resumption), .sent(let resumption):
                state = .ended
                return resumption
            }
        }
        resumption?.resume(with: result)
    }
}

extension Backend {
    static func redis(_ server: String) -> Backend { Backend(.cache, "Redis at \(server)") }
}

/// What Redis says when it refuses a command: `OOM command not allowed …`.
struct RedisServerError: Error, Sendable, Equatable {
    /// The first word, in capitals: `ERR`, `OOM`, `READONLY`, `NOAUTH`.
    let code: String
    /// The whole text, without the arguments that some errors quote.
    let text: String

    init(_ reply: String) {
        code = String(reply.prefix { $0.isASCII && ($0.isUppercase || $0 == "_") })
        var shown = reply.prefix { !$0.isNewline }
        // `unknown command 'AUTH', with args beginning with: 'secret' …`
        for marker in [", with args", " with args", "command '", "command `"] {
            if let range = shown.firstRange(of: marker) { shown = shown[..<range.lowerBound] }
        }
        text = String(shown.prefix(160))
    }

    /// Whether another connection might be answered differently: after a failover, or once logged
    /// in.
    var wantsNewConnection: Bool { code == "READONLY" || code == "NOAUTH" }

    /// The error of one command sent to `server`.
    func pipelineError(_ server: String) -> PipelineError {
        switch code {
        case "LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN":
            PipelineError.retryable(
                .cacheUnavailable, "Redis at \(server) is not ready: \(text)", cause: self
            ).of(.redis(server))
        case "READONLY":
            PipelineError.retryable(
                .cacheUnavailable,
                "Redis at \(server) is a read-only replica; name its primary", cause: self
            ).of(.redis(server))
        case "OOM":
            .retryable(
                .cacheFull,
                "Redis at \(server) is full: raise maxmemory, or let it evict (maxmemory-policy)",
                cause: self)
        case "NOAUTH", "WRONGPASS", "NOPERM":
            loginError(server, user: "")
        case "MOVED", "ASK", "CROSSSLOT":
            .fatal(
                .cacheUnsupported, "Redis at \(server) is a cluster, which is not supported",
                cause: self)
        case _ where text.contains("DB index is out of range"):
            .fatal(
                .cacheMissing, "Redis at \(server) has no such database: \(text)", cause: self)
        default:
            .retryable(
                .cacheRefused, "Redis at \(server) refuses a command: \(text)", cause: self)
        }
    }

    /// The error of logging in; says nothing that the server might have quoted.
    func loginError(_ server: String, user: String) -> PipelineError {
        let name = user.isEmpty ? "the default user" : "the user \"\(user)\""
        let reason =
            switch code {
            case "NOAUTH": "it wants a password; write redis://:password@host"
            case "NOPERM": "\(name) may not use the commands or keys that are needed"
            case "WRONGPASS": "wrong password for \(name), or no such user"
            // Before Redis 6.
            case _ where text.contains("invalid password"): "wrong password"
            default: "it has no password set, or is older than users (Redis 6)"
            }
        return .fatal(
            .cacheLogin, "Redis at \(server) refuses the login: \(reason)", cause: self)
    }
}

/// A connection could not be made, or is of no use any more.
struct RedisFailure: Error {
    enum Kind {
        /// Nobody listens, or the server refuses the login.
        case notConnected
        /// Nothing came in time: a new connection would probably wait as long.
        case timedOut
        /// The server closed it, the network broke, or the replies make no sense.
        case lost
    }
    var kind: Kind
    var error: PipelineError
}

/// A reply, copied out of hiredis
/// ([RESP2](https://redis.io/docs/latest/develop/reference/protocol-spec/)).
enum RedisReply: Sendable, Equatable {
    case string(Bytes)
    case status(String)
    case integer(Int64)
    case null
    case array([RedisReply])
    /// The command failed; the connection goes on.
    case failed(RedisServerError)
}

/// What a server says of itself, as `name:value` lines
/// ([INFO](https://redis.io/docs/latest/commands/info/)).
struct RedisInformation {
    private var values: [Substring: Substring] = [:]

    init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            values[line[..<colon]] = line[line.index(after: colon)...]
        }
    }

    var finding: ResourceFinding {
        let version = values["redis_version"].map { "Redis \($0)" } ?? "it answers"
        if values["role"] == "slave" {
            return ResourceFinding(
                .wrong, "\(version), a read-only replica", hint: "name its primary")
        }
        guard let limit = values["maxmemory"].flatMap({ Int($0) }) else {
            return ResourceFinding(.ok, version)
        }
        if limit == 0 { return ResourceFinding(.ok, "\(version), no maxmemory") }
        let policy = values["maxmemory_policy"].map(String.init) ?? "unknown"
        return ResourceFinding(
            .ok, "\(version), maxmemory \(limit >> 20) MiB, \(policy)",
            hint: policy == "noeviction"
                ? "once it is full it takes nothing more; maxmemory-policy allkeys-lru evicts"
                : nil)
    }
}

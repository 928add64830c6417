internal import Concurrency
internal import Calendar
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

internal import Calendar
internal import PipelineCore

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

    mutating func append(_ argument: String) {
        let before = bytes.count
        bytes += argument.utf8
        lengths.append(bytes.count - before)
    }

    mutating func append(_ argument: Bytes) {
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

    /// [SET](https://redis.io/docs/latest/commands/set/) `key value [NX] PX milliseconds`.
    static func set(_ entry: CacheEntry, onlyIfAbsent: Bool) -> RedisCommand {
        var command = RedisCommand(
            "SET", capacity: entry.key.utf8.count + entry.value.count + 32)
        command.append(entry.key)
        command.append(entry.value)
        if onlyIfAbsent { command.append("NX") }
        command.append("PX")
        command.append(String(milliseconds(entry.timeToLive)))
        return command
    }

    /// [UNLINK](https://redis.io/docs/latest/commands/unlink/): like DEL, the memory freed later.
    static func remove(_ keys: ArraySlice<String>) -> RedisCommand {
        var command = RedisCommand("UNLINK", capacity: keys.count * 48)
        for key in keys { command.append(key) }
        return command
    }

    /// At least one; at most a century, since Redis refuses what overflows when added to now.
    private static func milliseconds(_ duration: Duration) -> Int64 {
        min(max(1, duration.wholeMilliseconds), 3_155_760_000_000)
    }
}

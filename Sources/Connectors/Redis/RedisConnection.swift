internal import Concurrency
internal import CHiredis
internal import Calendar
internal import Glibc
internal import PipelineCore

/// A connection of [hiredis](https://github.com/redis/hiredis), used by one thread at a time.
/// Blocks.
///
/// Works with 0.14 and 1.x: speaks RESP2 and uses only what both have, so TLS is not its own.
@safe private struct RedisConnection: ~Copyable {
    private let context: UnsafeMutablePointer<redisContext>
    private let configuration: RedisConfiguration
    /// What the bytes go through, with `rediss://`.
    private var channel: RedisTLSChannel?
    /// How long a reply may take.
    private var timeout: Duration

    private init(_ context: UnsafeMutablePointer<redisContext>, _ configuration: RedisConfiguration)
    {
        unsafe self.context = context
        self.configuration = configuration
        timeout = configuration.connectTimeout
    }

    /// Connects, logs in, chooses the database, and makes sure that the server answers.
    static func open(_ configuration: RedisConfiguration) throws(RedisFailure) -> RedisConnection {
        let made = unsafe penstock_redis_connect(
            configuration.host, Int32(configuration.port),
            configuration.connectTimeout.wholeMicroseconds)
        guard let context = unsafe made else {
            throw RedisFailure(
                kind: .notConnected,
                error: .retryable(.cacheUnavailable, "hiredis is out of memory"))
        }
        var connection = unsafe RedisConnection(context, configuration)
        do throws(RedisFailure) {
            try connection.begin()
        } catch {
            throw RedisFailure(kind: .notConnected, error: error.error)
        }
        return connection
    }

    deinit { unsafe redisFree(context) }

    /// Whether the server has closed the connection, or sent what nobody asked for.
    var isStale: Bool {
        var waiting = unsafe pollfd(fd: context.pointee.fd, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&waiting, 1, 0) != 0
    }

    /// Sends the commands together, then reads their replies in order: one round trip.
    ///
    /// - Parameter receive: called for each reply as it is read.
    /// - Throws: ``RedisFailure``; then the connection is of no use any more.
    func exchange(_ commands: [RedisCommand], receive: (RedisReply) -> Void) throws(RedisFailure) {
        for command in commands { try append(command) }
        for _ in commands { receive(try nextReply()) }
    }

    private mutating func begin() throws(RedisFailure) {
        if unsafe context.pointee.err != 0 { throw failure() }
        unsafe redisEnableKeepAlive(context)
        unsafe penstock_redis_set_timeout(context, timeout.wholeMicroseconds)
        if let tls = configuration.tls {
            do throws(RedisTLSChannel.Failure) {
                channel = try unsafe RedisTLSChannel(
                    tls, descriptor: context.pointee.fd, host: configuration.host)
            } catch { throw failure(error) }
        }
        do throws(RedisFailure) { try logIn() } catch {
            var error = error
            // A server that wants TLS just hangs up.
            if error.kind == .lost && configuration.tls == nil {
                error.error.message += "; a port with TLS is for rediss://"
            }
            throw error
        }
        timeout = configuration.commandTimeout
        unsafe penstock_redis_set_timeout(context, timeout.wholeMicroseconds)
    }

    private func logIn() throws(RedisFailure) {
        var commands: [RedisCommand] = []
        if !configuration.password.isEmpty {
            let login = RedisCommand("AUTH")
            commands.append(
                (configuration.user.isEmpty ? login : login.appending(configuration.user))
                    .appending(configuration.password))
        }
        if configuration.database != 0 {
            commands.append(RedisCommand("SELECT").appending(String(configuration.database)))
        }
        commands.append(.ping)
        var replies: [RedisReply] = []
        try exchange(commands) { replies.append($0) }
        for (command, reply) in zip(commands, replies) {
            guard case .failed(let refusal) = reply else { continue }
            let isLogin = command.bytes.starts(with: "AUTH".utf8)
            let error =
                isLogin
                ? refusal.loginError(configuration.name, user: configuration.user)
                : refusal.pipelineError(configuration.name)
            throw RedisFailure(kind: .notConnected, error: error)
        }
    }

    private func append(_ command: RedisCommand) throws(RedisFailure) {
        let status = unsafe command.bytes.withUnsafeBufferPointer { bytes in
            let start = unsafe UnsafeRawPointer(bytes.baseAddress!)
                .assumingMemoryBound(to: CChar.self)
            var offset = 0
            var arguments: [UnsafePointer<CChar>?] = unsafe []
            unsafe arguments.reserveCapacity(command.lengths.count)
            for length in command.lengths {
                unsafe arguments.append(start + offset)
                offset += length
            }
            guard let channel else {
                return unsafe redisAppendCommandArgv(
                    context, Int32(command.lengths.count), &arguments, command.lengths)
            }
            var text: UnsafeMutablePointer<CChar>?
            let count = unsafe redisFormatCommandArgv(
                &text, Int32(command.lengths.count), &arguments, command.lengths)
            guard count >= 0, let text = unsafe text else { return REDIS_ERR }
            defer { unsafe redisFreeCommand(text) }
            unsafe channel.append(UnsafeRawBufferPointer(start: text, count: Int(count)))
            return REDIS_OK
        }
        if status != REDIS_OK { throw failure() }
    }

    /// As `redisGetReply`, whatever the bytes go through.
    private func readReply() throws(RedisFailure) -> UnsafeMutableRawPointer {
        var raw: UnsafeMutableRawPointer?
        guard let channel else {
            let status = unsafe redisGetReply(context, &raw)
            guard status == REDIS_OK, let raw = unsafe raw else { throw failure() }
            return unsafe raw
        }
        guard let reader = unsafe context.pointee.reader else { throw failure() }
        while true {
            guard unsafe redisReaderGetReply(reader, &raw) == REDIS_OK else {
                throw RedisFailure(
                    kind: .lost, error: unavailable("the reply is none of Redis'"))
            }
            if let raw = unsafe raw { return unsafe raw }
            do throws(RedisTLSChannel.Failure) {
                let bytes = try channel.receive()
                unsafe redisReaderFeed(reader, bytes, bytes.count)
            } catch { throw failure(error) }
        }
    }

    private func nextReply() throws(RedisFailure) -> RedisReply {
        let raw = try unsafe readReply()
        defer { unsafe freeReplyObject(raw) }
        guard let reply = unsafe RedisReply(raw.assumingMemoryBound(to: redisReply.self)) else {
            throw RedisFailure(
                kind: .lost,
                error: unavailable("the reply is of a type that was not asked for"))
        }
        return reply
    }

    /// What hiredis says about the last call. Must come before any other system call.
    private func failure() -> RedisFailure {
        let number = errno
        let code = unsafe context.pointee.err
        let isTimeout =
            (code == REDIS_ERR_IO && [EAGAIN, ETIMEDOUT, EINPROGRESS].contains(number))
            || code == 6  // REDIS_ERR_TIMEOUT, from 1.0 on
        if isTimeout {
            let reason = "no answer within \(timeout.wholeMilliseconds) ms"
            return RedisFailure(kind: .timedOut, error: unavailable(reason))
        }
        let text = unsafe withUnsafeBytes(of: &context.pointee.errstr) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return RedisFailure(kind: .lost, error: unavailable(text))
    }

    /// What has become of TLS.
    private func failure(_ failure: RedisTLSChannel.Failure) -> RedisFailure {
        if failure.isTimeout {
            let reason = "\(failure.reason) (\(timeout.wholeMilliseconds) ms)"
            return RedisFailure(kind: .timedOut, error: unavailable(reason))
        }
        guard let mistake = failure.mistake else {
            return RedisFailure(kind: .lost, error: unavailable(failure.reason))
        }
        let advice = RedisTLS.advice(on: mistake)
        return RedisFailure(kind: .lost, error: disagreement("\(failure.reason); \(advice)"))
    }

    private func disagreement(_ reason: String) -> PipelineError {
        PipelineError(
            .cacheEncryption,
            "Redis at \(configuration.name) and this process do not agree on encryption: \(reason)")
    }

    private func unavailable(_ reason: String) -> PipelineError {
        PipelineError.retryable(
            .cacheUnavailable, "Redis at \(configuration.name) is unavailable: \(reason)"
        ).of(.redis(configuration.name))
    }
}

extension RedisReply {
    /// Copies a reply; `nil` for a type of RESP3.
    fileprivate init?(_ reply: UnsafeMutablePointer<redisReply>) {
        switch unsafe reply.pointee.type {
        case REDIS_REPLY_STRING:
            self = unsafe .string(Bytes(Array(reply.bytes)))
        case REDIS_REPLY_STATUS:
            self = unsafe .status(String(decoding: reply.bytes, as: UTF8.self))
        case REDIS_REPLY_ERROR:
            self = unsafe .failed(RedisServerError(String(decoding: reply.bytes, as: UTF8.self)))
        case REDIS_REPLY_INTEGER:
            self = unsafe .integer(Int64(reply.pointee.integer))
        case REDIS_REPLY_NIL:
            self = .null
        case REDIS_REPLY_ARRAY:
            var elements: [RedisReply] = []
            let count = unsafe reply.pointee.elements
            elements.reserveCapacity(count)
            for index in 0..<count {
                guard let element = unsafe reply.pointee.element[index],
                    let copy = unsafe RedisReply(element)
                else { return nil }
                elements.append(copy)
            }
            self = .array(elements)
        default: return nil
        }
    }
}

extension UnsafeMutablePointer<redisReply> {
    fileprivate var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: pointee.str, count: pointee.len)
    }
}

/// One connection and its thread.
final class RedisSession: @unchecked Sendable {
    // `connection` and `lastDrop` are touched only by jobs of `worker`, which runs one after the
    // other; whoever releases the last reference is alone.
    private var connection: RedisConnection?
    private var lastDrop: Instant?
    private let configuration: RedisConfiguration
    private let clock: PipelineClock
    /// hiredis writes to sockets that the server may have closed. The signal is this thread's
    /// alone.
    let worker = WorkerThread(beginningWith: {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    })

    /// A replica that stays read-only must not cost a new connection for each write.
    private static let dropInterval = Duration.seconds(5)

    init(_ configuration: RedisConfiguration, clock: PipelineClock) {
        self.configuration = configuration
        self.clock = clock
    }

    /// Connects unless there is a connection that seems good. On the worker only.
    func connect() throws(RedisFailure) {
        if connection?.isStale == false { return }
        connection = nil
        connection = try RedisConnection.open(configuration)
    }

    func disconnect() { connection = nil }

    /// Answers the calls by one round trip, each as soon as its replies are there. On the worker
    /// only.
    ///
    /// - Parameters:
    ///   - answered: is called with the first reply, before its caller has it.
    ///   - failed: is called with what broke the connection, before anybody is told, and says what
    ///     the calls that were not answered until then fail with.
    func answer(
        _ calls: [RedisCall], answered: () -> Void, failed: (RedisFailure) -> PipelineError
    ) {
        var next = 0
        var replies: [RedisReply] = []
        var drops = false
        do throws(RedisFailure) {
            try connect()
            try connection!.exchange(calls.flatMap(\.commands)) { reply in
                if case .failed(let error) = reply, error.wantsNewConnection { drops = true }
                if next == 0 && replies.isEmpty { answered() }
                replies.append(reply)
                if replies.count == calls[next].commands.count {
                    calls[next].finish(.success(replies))
                    next += 1
                    replies = []
                }
            }
        } catch {
            connection = nil
            let error = failed(error)
            for call in calls[next...] { call.finish(.failure(error)) }
        }
        if drops { dropNowAndThen() }
    }

    private func dropNowAndThen() {
        let now = clock.now
        if let lastDrop, lastDrop.duration(to: now) < Self.dropInterval { return }
        lastDrop = now
        connection = nil
    }
}

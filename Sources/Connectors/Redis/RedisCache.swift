public import Metrics
public import PipelineCore

/// A cache in [Redis](https://redis.io), shared by processes:
/// `redis://[user:password@]host:port/database`, or `rediss://` for TLS.
///
/// Commands of concurrent callers share round trips. A server that is down is noticed once; until
/// it is back calls fail at once (`cache-unavailable`) rather than wait, and one attempt at a time
/// is made in the background, with back-off. An error of a single command does not disturb others.
/// Cancelling a call gives it up while it is queued; once sent, it ends by its reply or the command
/// timeout.
public final class RedisCache: Cache {
    /// How much has been asked, and in how many round trips.
    public struct Statistics: Sendable, Equatable {
        /// Commands sent since the start.
        public var commands: UInt64 = 0
        /// Round trips that carried them.
        public var roundTrips: UInt64 = 0
    }

    private let client: RedisClient
    private let clock: PipelineClock
    private let gets: Histogram
    private let sets: Histogram
    private let pings: Histogram
    /// Most keys in one command, since Redis does nothing else meanwhile.
    private static let keysPerCommand = 512

    /// Connects when first used.
    ///
    /// - Parameters:
    ///   - address: with the properties `connections` (2), `connect_timeout` (`1s`),
    ///     `command_timeout` (`1s`) and `max_value` (`8MiB`); for TLS, `tls_ca_cert_file` (the
    ///     system's authorities), `tls_cert_file`, `tls_key_file` and `tls_server_name` (the host).
    ///   - clock: what the back-off is measured by.
    ///   - random: jitter of the back-off.
    ///   - metrics: takes the times of answers, and whether the server is taken to be down.
    /// - Throws: ``PipelineError`` `invalid-resource`.
    public init(
        address: ResourceAddress, clock: PipelineClock = .system,
        random: RandomSource = RandomSource(), metrics: MetricRegistry = MetricRegistry()
    ) throws(PipelineError) {
        let configuration = try RedisConfiguration(address: address)
        client = RedisClient(configuration, clock: clock, random: random)
        self.clock = clock
        func times(_ operation: String) -> Histogram {
            metrics.histogram(.databaseSeconds, "redis", configuration.name, operation)
        }
        gets = times("get")
        sets = times("set")
        pings = times("ping")
        metrics.setGauge(.circuitOpen, configuration.name) { [weak client] in
            client.map { $0.isCircuitOpen ? 1 : 0 }
        }
    }

    /// What is wrong with an address, found out without connecting; `nil` if nothing is.
    @Sendable public static func objection(to address: ResourceAddress) -> String? {
        do throws(PipelineError) {
            _ = try RedisConfiguration(address: address)
            return nil
        } catch {
            return error.message
        }
    }

    /// The certificates and keys that are read for an address.
    @Sendable public static func files(of address: ResourceAddress) -> [ResourceFile] {
        (try? RedisConfiguration(address: address))?.tls?.files ?? []
    }

    /// The most bytes that a value may have.
    public var maxValueBytes: Int { client.configuration.maxValueBytes }

    /// What has been sent so far.
    public var statistics: Statistics { client.statistics }

    /// A value that is longer than allowed counts as a miss.
    public func get(_ keys: [String]) async throws -> [Bytes?] {
        if keys.isEmpty { return [] }
        let replies = try await timed(gets) {
            try await client.send(Self.sliced(keys).map(RedisCommand.get))
        }
        var values: [Bytes?] = []
        values.reserveCapacity(keys.count)
        for reply in replies {
            guard case .array(let elements) = reply else { throw error(reply) }
            for element in elements {
                switch element {
                // What is longer than we write is not ours.
                case .string(let value): values.append(value.count <= maxValueBytes ? value : nil)
                case .null: values.append(nil)
                default: throw error(element)
                }
            }
        }
        guard values.count == keys.count else { throw unexpected }
        return values
    }

    public func set(_ entries: [CacheEntry]) async throws {
        if entries.isEmpty { return }
        try checkSizes(entries)
        let commands = entries.map { RedisCommand.set($0) }
        for reply in try await timed(sets, { try await client.send(commands) }) {
            guard case .status = reply else { throw error(reply) }
        }
    }

    public var backend: Backend? { .redis(client.configuration.name) }

    /// Asks the server, even if it is known to be down.
    public func probe() async throws {
        for reply in try await timed(pings, { try await client.send([.ping], insists: true) }) {
            guard case .status = reply else { throw error(reply) }
        }
    }

    /// Logs in and asks what the server is. Stores nothing: whether it may, is not known then.
    ///
    /// - Throws: ``PipelineError`` `cache-unavailable`, retryable; `cache-login` and
    ///   `cache-encryption`, fatal.
    public func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        let replies = try await client.send([.ping, .info], insists: true)
        guard case .status = replies[0] else { throw error(replies[0]) }
        // A user may be allowed to cache and not to ask: that it answers is enough then.
        guard case .string(let text) = replies[1] else {
            return [ResourceFinding(.ok, "it answers")]
        }
        return [RedisInformation(String(decoding: text, as: UTF8.self)).finding]
    }

    public func close() async { await client.close() }

    /// Counts what was answered: calls refused while the server is down took no time of its.
    private func timed(
        _ times: Histogram, _ send: () async throws -> [RedisReply]
    ) async throws -> [RedisReply] {
        let start = clock.now
        let replies = try await send()
        times.observe(start.duration(to: clock.now))
        return replies
    }

    private func checkSizes(_ entries: [CacheEntry]) throws(PipelineError) {
        for entry in entries where entry.value.count > maxValueBytes {
            throw .permanent(
                .cacheEntryTooLarge,
                "a value of \(entry.value.count) bytes is longer than the \(maxValueBytes) allowed"
                    + " (max_value)")
        }
    }

    private func error(_ reply: RedisReply) -> PipelineError {
        guard case .failed(let error) = reply else { return unexpected }
        return client.judge(error.pipelineError(client.configuration.name))
    }

    private var unexpected: PipelineError {
        .retryable(
            .cacheRefused,
            "Redis at \(client.configuration.name) gave a reply that does not fit the command")
    }

    private static func sliced(_ keys: [String]) -> [ArraySlice<String>] {
        stride(from: 0, to: keys.count, by: keysPerCommand).map { start in
            keys[start..<min(start + keysPerCommand, keys.count)]
        }
    }
}

extension MetricDeclaration {
    /// Those of Redis, beside what all databases tell.
    public static let ofRedis = [circuitOpen]

    fileprivate static let circuitOpen = gauge(
        "penstock_cache_circuit_open",
        "1 while the cache is taken to be down, and not asked; 0 otherwise.",
        labels: "server_address")
}

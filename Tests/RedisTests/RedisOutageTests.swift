import Calendar
import Metrics
import PipelineCore
import PipelineTesting
@testable import Redis
import Testing

@Suite("A Redis server in trouble", .timeLimit(.minutes(2)))
struct RedisOutageTests {
    private let time = ManualClock()
    private let fast = ["command_timeout": "200ms", "connect_timeout": "500ms"]

    private func entry(_ key: String) -> CacheEntry {
        CacheEntry(key: key, value: [1], timeToLive: .minutes(1))
    }

    private func error(_ cache: RedisCache, _ key: String = "key") async throws -> PipelineError {
        try await #require(throws: PipelineError.self) { _ = try await cache.get([key]) }
    }

    /// The time that `count` calls take until all have failed.
    private func timeOfFailures(_ count: Int, _ cache: RedisCache) async throws -> Duration {
        let begin = ContinuousClock.now
        for _ in 0..<count {
            #expect(try await error(cache).code == "cache-unavailable")
        }
        return begin.duration(to: .now)
    }

    @Test func failsItsCallersFastAndRecoversWhenItIsBack() async throws {
        var server: RedisServer? = try RedisServer()
        let port = try #require(server?.port)
        let cache = try RedisCache(
            address: try #require(try server?.address(properties: fast)), clock: time.clock)
        try await cache.set([entry("key")])
        server = nil

        let first = try await error(cache)
        #expect(first.code == "cache-unavailable")
        #expect(first.disposition == .retryable)
        #expect(first.message.contains("127.0.0.1:\(port)"))
        #expect(try await timeOfFailures(2000, cache) < .seconds(2))

        server = try RedisServer(port: port)
        // The back-off is not over: nobody asks the server.
        #expect(try await timeOfFailures(100, cache) < .seconds(1))
        time.advance(by: CircuitBreaker.longestBackOff)
        try await eventually { try await cache.get(["key"]) == [nil] }
        await cache.close()
    }

    @Test func tellsThatItIsTakenToBeDownAndCountsWhatItAnswered() async throws {
        var server: RedisServer? = try RedisServer()
        let port = try #require(server?.port)
        let metrics = MetricRegistry()
        let place = "server_address=\"127.0.0.1:\(port)\""
        func answers(_ operation: String, _ count: Int) -> String {
            "db_client_operation_duration_seconds_count{db_operation_name=\"\(operation)\","
                + "db_system_name=\"redis\",\(place)} \(count)\n"
        }
        func circuit(_ isOpen: Int) -> String {
            "penstock_cache_circuit_open{\(place)} \(isOpen)\n"
        }
        func expect(_ lines: String..., location: SourceLocation = #_sourceLocation) {
            let told = metrics.exposition()
            for line in lines { #expect(told.contains(line), sourceLocation: location) }
        }
        let cache = try RedisCache(
            address: try #require(try server?.address(properties: fast)), clock: time.clock,
            metrics: metrics)
        expect(answers("get", 0), answers("set", 0), answers("ping", 0), circuit(0))
        try await cache.set([entry("key")])
        _ = try await cache.get(["key"])
        expect(answers("get", 1), answers("set", 1), circuit(0))
        server = nil
        _ = try await error(cache)
        expect(answers("get", 1), circuit(1))
        server = try RedisServer(port: port)
        try await eventually {
            try await cache.probe()
            return try await cache.get(["key"]) == [nil]
        }
        expect(answers("get", 2), circuit(0))
        await cache.close()
    }

    @Test func isFoundAgainAtOnceByAProbe() async throws {
        var server: RedisServer? = try RedisServer()
        let port = try #require(server?.port)
        let cache = try RedisCache(
            address: try #require(try server?.address(properties: fast)), clock: time.clock)
        server = nil
        await #expect(throws: PipelineError.self) { try await cache.probe() }
        server = try RedisServer(port: port)
        // The clock stands still: only a probe can have closed the circuit.
        try await eventually {
            try await cache.probe()
            return try await cache.get(["key"]) == [nil]
        }
        await cache.close()
    }

    @Test func makesOneCallerWaitWhenItHangsAndNoMore() async throws {
        let server = try RedisServer()
        let cache = try RedisCache(
            address: try server.address(properties: fast), clock: time.clock)
        try await cache.probe()
        server.freeze()
        #expect(try await error(cache).code == "cache-unavailable")
        #expect(try await timeOfFailures(1000, cache) < .milliseconds(900))
        time.advance(by: CircuitBreaker.longestBackOff)
        // An attempt begins now and will time out, but its caller does not wait for it.
        #expect(try await timeOfFailures(1, cache) < .milliseconds(200))
        server.thaw()
        try await eventually {
            time.advance(by: CircuitBreaker.longestBackOff)
            return try await cache.get(["key"]) == [nil]
        }
        await cache.close()
    }

    @Test func failsACallInFlightWhenItDies() async throws {
        var server: RedisServer? = try RedisServer()
        let cache = try RedisCache(
            address: try #require(try server?.address(properties: ["command_timeout": "1m"])),
            clock: time.clock)
        try await cache.probe()
        let sent = cache.statistics.commands
        server?.freeze()
        await withThrowingTaskGroup(of: [Bytes?].self) { group in
            group.addTask { try await cache.get(["key"]) }
            while cache.statistics.commands == sent { await Task.yield() }
            server = nil
            let result = await group.nextResult()
            let error = #expect(throws: PipelineError.self) { try result?.get() }
            #expect(error?.code == "cache-unavailable")
        }
        await cache.close()
    }

    @Test func isReachedAgainWithoutAnErrorWhenItClosedAnIdleConnection() async throws {
        let server = try RedisServer()
        let cache = try RedisCache(address: try server.address(), clock: time.clock)
        let other = RedisClient(
            try RedisConfiguration(address: try server.address()), clock: .system,
            random: RandomSource(seed: 1))
        for _ in 0..<20 {
            try await cache.set([entry("key")])
            let kill = RedisCommand("CLIENT").appending("KILL").appending("TYPE")
                .appending("normal").appending("SKIPME").appending("yes")
            _ = try await other.send([kill])
            #expect(try await cache.get(["key"]) == [[1]])
        }
        await other.close()
        await cache.close()
    }

    @Test func saysThatItIsAReadOnlyReplica() async throws {
        let server = try RedisServer(options: ["--replicaof", "127.0.0.1 1"])
        let cache = try RedisCache(address: try server.address(), clock: time.clock)
        let error = try await #require(throws: PipelineError.self) {
            try await cache.set([entry("key")])
        }
        #expect(error.code == "cache-unavailable")
        #expect(error.message.contains("read-only replica"))
        #expect(try await cache.get(["key"]) == [nil])
        await cache.close()
    }

    @Test func goesOnAnsweringReadsWhenItsMemoryIsFull() async throws {
        let server = try RedisServer(
            options: ["--maxmemory", "1", "--maxmemory-policy", "noeviction"])
        let cache = try RedisCache(
            address: try server.address(properties: ["connections": "1"]), clock: time.clock)
        for _ in 0..<3 {
            let error = try await #require(throws: PipelineError.self) {
                try await cache.set([entry("a"), entry("b")])
            }
            #expect(error.code == "cache-full")
            #expect(error.disposition == .retryable)
            #expect(try await cache.get(["a"]) == [nil])
        }
        await cache.close()
    }
}

@Suite("The circuit breaker")
struct CircuitBreakerTests {
    private let error = PipelineError.retryable("cache-unavailable", "down")

    private func at(_ duration: Duration) -> Instant {
        Instant(nanoseconds: 0).advanced(by: duration)
    }

    private func describe(_ admission: CircuitBreaker.Admission) -> String {
        switch admission {
        case .pass: "pass"
        case .refuse: "refuse"
        case .refuseAndAttempt: "attempt"
        }
    }

    @Test func passesEverythingUntilTheFirstFailure() {
        var breaker = CircuitBreaker()
        #expect(describe(breaker.admit(now: at(.zero), canAttempt: true)) == "pass")
        breaker.failed(error, now: at(.zero), jitter: 0)
        #expect(describe(breaker.admit(now: at(.zero), canAttempt: true)) == "refuse")
    }

    @Test func letsOneAttemptBeginWhenTheBackOffIsOver() {
        var breaker = CircuitBreaker()
        breaker.failed(error, now: at(.zero), jitter: 0)
        #expect(describe(breaker.admit(now: at(.milliseconds(49)), canAttempt: true)) == "refuse")
        #expect(describe(breaker.admit(now: at(.milliseconds(50)), canAttempt: false)) == "refuse")
        #expect(describe(breaker.admit(now: at(.milliseconds(50)), canAttempt: true)) == "attempt")
        #expect(describe(breaker.admit(now: at(.hours(1)), canAttempt: true)) == "refuse")
        breaker.succeeded()
        #expect(describe(breaker.admit(now: at(.hours(1)), canAttempt: true)) == "pass")
    }

    @Test func doublesTheBackOffUpToItsBound() {
        var breaker = CircuitBreaker()
        var now = at(.zero)
        var waits: [Int64] = []
        for _ in 0..<9 {
            breaker.failed(error, now: now, jitter: 0)
            let begin = now
            while describe(breaker.admit(now: now, canAttempt: true)) != "attempt",
                now < at(.minutes(1))
            {
                now = now.advanced(by: .milliseconds(10))
            }
            waits.append(begin.duration(to: now).wholeMilliseconds)
        }
        #expect(waits == [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000])
    }

    @Test func shortensTheBackOffByJitter() {
        var breaker = CircuitBreaker()
        breaker.failed(error, now: at(.zero), jitter: 0.999_999)
        #expect(describe(breaker.admit(now: at(.milliseconds(26)), canAttempt: true)) == "attempt")
    }

    @Test func countsConnectionsThatFailTogetherOnce() {
        var breaker = CircuitBreaker()
        for _ in 0..<5 { breaker.failed(error, now: at(.zero), jitter: 0) }
        #expect(describe(breaker.admit(now: at(.milliseconds(50)), canAttempt: true)) == "attempt")
    }
}

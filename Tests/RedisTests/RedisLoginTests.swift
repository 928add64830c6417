import PipelineCore
import PipelineTesting
@testable import Redis
import Testing

@Suite("Logging in to Redis", .timeLimit(.minutes(1)))
struct RedisLoginTests {
    private func probe(_ address: ResourceAddress) async throws {
        let cache = try RedisCache(address: address)
        do {
            try await cache.probe()
        } catch {
            await cache.close()
            throw error
        }
        await cache.close()
    }

    @Test func worksWithThePasswordAndChoosesTheDatabase() async throws {
        let server = try RedisServer(options: ["--requirepass", "s3:cr@t/"])
        let credentials = ":s3%3Acr%40t%2F@"
        let third = try RedisCache(address: try server.address(credentials, database: 3))
        try await third.set([CacheEntry(key: "key", value: [3], timeToLive: .minutes(1))])
        #expect(try await third.get(["key"]) == [[3]])
        let zeroth = try RedisCache(address: try server.address(credentials))
        #expect(try await zeroth.get(["key"]) == [nil])
        await third.close()
        await zeroth.close()
    }

    @Test func worksWithAUserOfItsOwn() async throws {
        let server = try RedisServer(
            options: ["--user", "penstock", "on", ">s3cret", "~*", "+mget", "+set", "+ping"])
        try await probe(try server.address("penstock:s3cret@"))
    }

    @Test(arguments: [":wr0ng@", "penstock:wr0ng@"])
    func saysThatThePasswordIsWrongWithoutShowingIt(credentials: String) async throws {
        let server = try RedisServer(options: ["--requirepass", "right"])
        let error = try await #require(throws: PipelineError.self) {
            try await probe(try server.address(credentials))
        }
        #expect(error.code == "cache-login" && error.disposition == .fatal)
        #expect(error.message.contains("wrong password"))
        var everything = ""
        dump(error, to: &everything)
        #expect(!everything.contains("wr0ng"))
    }

    @Test func isTriedAgainWhereItWorkedBefore() async throws {
        let server = try RedisServer(options: ["--requirepass", "right"])
        let cache = try RedisCache(address: try server.address(":right@"))
        try await cache.probe()
        let administrator = RedisClient(
            try RedisConfiguration(address: server.address(":right@")), clock: .system,
            random: RandomSource())
        _ = try await administrator.send([
            RedisCommand("CONFIG").appending("SET").appending("requirepass").appending("changed"),
            RedisCommand("CLIENT").appending("KILL").appending("TYPE").appending("normal"),
        ])
        let error = try await #require(throws: PipelineError.self) { try await cache.probe() }
        #expect(error.code == "cache-login" && error.disposition == .retryable)
        await administrator.close()
        await cache.close()
    }

    @Test func saysThatAPasswordIsWanted() async throws {
        let server = try RedisServer(options: ["--requirepass", "right"])
        let error = try await #require(throws: PipelineError.self) {
            try await probe(try server.address())
        }
        #expect(error.code == "cache-login")
        #expect(error.message.contains("wants a password"))
    }

    @Test func saysThatADatabaseIsNotThere() async throws {
        let server = try RedisServer(options: ["--databases", "2"])
        let error = try await #require(throws: PipelineError.self) {
            try await probe(try server.address(database: 2))
        }
        #expect(error.code == "cache-missing" && error.disposition == .fatal)
        #expect(error.message.contains("DB index is out of range"))
    }
}

@Suite("What Redis refuses with")
struct RedisServerErrorTests {
    @Test(arguments: [
        ("LOADING Redis is loading the dataset in memory", "cache-unavailable"),
        (
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "cache-unavailable"
        ),
        ("READONLY You can't write against a read only replica.", "cache-unavailable"),
        ("OOM command not allowed when used memory > 'maxmemory'.", "cache-full"),
        ("NOAUTH Authentication required.", "cache-login"),
        ("NOPERM User app has no permissions to run the 'set' command", "cache-login"),
        ("MOVED 3999 127.0.0.1:6381", "cache-unsupported"),
        ("ERR syntax error", "cache-refused"),
        ("", "cache-refused"),
    ])
    func hasACodeAndPassesUnlessItIsAMistake(reply: String, code: ErrorCode) {
        let error = RedisServerError(reply).pipelineError("h:1")
        let isMistake = ["cache-login", "cache-unsupported"].contains(code)
        #expect(error.disposition == (isMistake ? .fatal : .retryable))
        #expect(error.code == code)
        #expect(error.message.contains("h:1"))
    }

    @Test(arguments: [
        "ERR unknown command 'AUTH', with args beginning with: 's3cret' ",
        "ERR unknown command `AUTH`, with args beginning with: `s3cret`, ",
        "ERR unknown subcommand or wrong number of arguments for 'x'\r\ns3cret",
    ])
    func isShownWithoutTheArgumentsItQuotes(reply: String) {
        let error = RedisServerError(reply)
        #expect(!error.text.contains("s3cret"))
        #expect(error.code == "ERR")
    }
}

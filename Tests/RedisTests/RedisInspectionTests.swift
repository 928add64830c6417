import PipelineCore
import Testing

@testable import Redis

@Suite("Looking at Redis", .timeLimit(.minutes(1)))
struct RedisInspectionTests {
    private func inspect(_ address: ResourceAddress) async throws -> [ResourceFinding] {
        let cache = try RedisCache(address: address)
        let found: Result<[ResourceFinding], any Error>
        do {
            found = .success(try await cache.inspect(for: [], timeout: .seconds(5)))
        } catch {
            found = .failure(error)
        }
        await cache.close()
        return try found.get()
    }

    @Test("names its version, and leaves every key alone")
    func version() async throws {
        let server = try RedisServer()
        let found = try await inspect(try server.address())
        #expect(found.count == 1)
        #expect(found[0].verdict == .ok)
        #expect(found[0].detail.hasPrefix("Redis "))
        #expect(found[0].detail.hasSuffix(", no maxmemory"))
    }

    @Test("mentions a memory that will be full one day")
    func eviction() async throws {
        let full = try RedisServer(options: ["--maxmemory", "64mb"])
        let finding = try #require(try await inspect(try full.address()).first)
        #expect(finding.verdict == .ok)
        #expect(finding.detail.hasSuffix("maxmemory 64 MiB, noeviction"))
        #expect(finding.hint?.contains("allkeys-lru") == true)
        let evicting = try RedisServer(
            options: ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"])
        let other = try #require(try await inspect(try evicting.address()).first)
        #expect(other.hint == nil)
    }

    @Test("is enough for a user who may use a cache and ask nothing")
    func restricted() async throws {
        let server = try RedisServer(
            options: ["--user", "penstock", "on", ">s3cret", "~*", "+mget", "+set", "+ping"])
        let found = try await inspect(try server.address("penstock:s3cret@"))
        #expect(found == [ResourceFinding(.ok, "it answers")])
    }

    @Test("takes a wrong password for a mistake, not for an outage, and does not show it")
    func wrongPassword() async throws {
        let server = try RedisServer(options: ["--requirepass", "right"])
        let error = try await #require(throws: PipelineError.self) {
            try await inspect(try server.address(":wr0ng@"))
        }
        #expect(error.disposition == .fatal)
        #expect(ResourceFinding(failure: error).verdict == .wrong)
        #expect(!error.message.contains("wr0ng"))
    }

    @Test("finds a server that is gone unreachable")
    func gone() async throws {
        let address: ResourceAddress
        do { address = try RedisServer().address() }
        let error = try await #require(throws: PipelineError.self) { try await inspect(address) }
        #expect(ResourceFinding(failure: error).verdict == .unreachable)
    }

    @Test("refuses a replica")
    func replica() throws {
        let finding = RedisInformation("redis_version:7.0.15\r\nrole:slave\r\n").finding
        #expect(finding.verdict == .wrong)
    }
}

import AdminHTTP
import Glibc
@testable import Metrics
import Synchronization
import Testing

@Suite("The admin endpoint", .serialized, .timeLimit(.minutes(1)))
struct AdminEndpointTests {
    private let registry = MetricRegistry()

    @Test(arguments: ["127.0.0.1", "::1", "[::1]"])
    func servesMetrics(host: String) throws {
        registry.makeCounter(name: "seen_total", help: "Seen.").increment(by: 3)
        let endpoint = try AdminEndpoint(host: host, port: 0, registry: registry)
        let answer = fetch(endpoint.port, "/metrics", isIPv6: host.contains(":"))
        #expect(answer.hasPrefix("HTTP/1.1 200"))
        #expect(
            answer.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
        #expect(
            answer.hasSuffix("# HELP seen_total Seen.\n# TYPE seen_total counter\nseen_total 3\n"))
    }

    @Test func tellsReadinessAndItsReason() throws {
        let readiness = Mutable(Readiness.notReady(reason: "the store is unavailable"))
        let endpoint = try AdminEndpoint(port: 0, registry: registry) { readiness.value }
        let refused = fetch(endpoint.port, "/readyz")
        #expect(refused.hasPrefix("HTTP/1.1 503"))
        #expect(refused.hasSuffix("the store is unavailable\n"))
        #expect(fetch(endpoint.port, "/healthz").hasPrefix("HTTP/1.1 200"))
        readiness.value = .ready
        #expect(fetch(endpoint.port, "/readyz").hasPrefix("HTTP/1.1 200"))
    }

    @Test func tellsWhyOnlyANewStartHelps() throws {
        let liveness = Mutable(Liveness.alive)
        let endpoint = try AdminEndpoint(
            port: 0, registry: registry, liveness: { liveness.value })
        #expect(fetch(endpoint.port, "/healthz").hasSuffix("\r\n\r\nalive\n"))
        liveness.value = .stuck(reason: "reports: hangs")
        let stuck = fetch(endpoint.port, "/healthz")
        #expect(stuck.hasPrefix("HTTP/1.1 503") && stuck.hasSuffix("stuck: reports: hangs\n"))
        #expect(fetch(endpoint.port, "/readyz").hasPrefix("HTTP/1.1 200"))
    }

    @Test func refusesOtherPathsAndMethods() throws {
        let endpoint = try AdminEndpoint(port: 0, registry: registry)
        #expect(fetch(endpoint.port, "/other").hasPrefix("HTTP/1.1 404"))
        let refused = fetch(endpoint.port, "/metrics", method: "POST")
        #expect(refused.hasPrefix("HTTP/1.1 405"))
        #expect(refused.contains("Allow: GET, HEAD\r\n"))
        #expect(fetch(endpoint.port, "/healthz", method: "HEAD").hasSuffix("\r\n\r\n"))
    }

    @Test(arguments: 0..<8) func stopsListeningWhenItIsReleased(round: Int) throws {
        var endpoint: AdminEndpoint? = try AdminEndpoint(port: 0, registry: registry)
        let port = try #require(endpoint?.port)
        #expect(fetch(port, "/healthz").hasPrefix("HTTP/1.1 200"))
        endpoint = nil
        #expect(fetch(port, "/healthz") == "no connection")
    }

    @Test func namesAnAddressThatIsTaken() throws {
        let first = try AdminEndpoint(port: 0, registry: registry)
        let error = try #require(throws: AdminEndpointError.self) {
            _ = try AdminEndpoint(port: first.port, registry: registry)
        }
        #expect(error.obstacle == .addressInUse)
        #expect(
            error.description == "cannot listen on 127.0.0.1:\(first.port): another process uses"
                + " this port; choose another one")
    }

    @Test func namesAHostThatIsNotOurs() throws {
        let error = try #require(throws: AdminEndpointError.self) {
            _ = try AdminEndpoint(host: "192.0.2.1", port: 0, registry: registry)
        }
        #expect(error.obstacle == .cannotListen)
        #expect(error.description.contains("192.0.2.1:0"))
    }
}

/// A value that a test changes while a server reads it.
private final class Mutable<Value: Sendable>: Sendable {
    private let stored: Mutex<Value>
    init(_ value: Value) { stored = Mutex(value) }
    var value: Value {
        get { stored.withLock { $0 } }
        set { stored.withLock { $0 = newValue } }
    }
}

/// The whole answer to a request over a real socket, or `no connection`.
private func fetch(_ port: UInt16, _ path: String, method: String = "GET", isIPv6: Bool = false)
    -> String
{
    let descriptor = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    guard connect(descriptor, port, isIPv6: isIPv6) else { return "no connection" }
    let request = Array("\(method) \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8)
    _ = unsafe write(descriptor, request, request.count)
    var answer: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = unsafe read(descriptor, &buffer, buffer.count)
        if count <= 0 { return String(decoding: answer, as: UTF8.self) }
        answer += buffer[..<count]
    }
}

private func connect(_ descriptor: Int32, _ port: UInt16, isIPv6: Bool) -> Bool {
    if isIPv6 {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        _ = unsafe inet_pton(AF_INET6, "::1", &address.sin6_addr)
        return connect(descriptor, to: &address)
    }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return connect(descriptor, to: &address)
}

private func connect<Address>(_ descriptor: Int32, to address: inout Address) -> Bool {
    let size = socklen_t(MemoryLayout<Address>.size)
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe Glibc.connect(descriptor, $0, size) == 0
        }
    }
}

internal import AdminHTTP
internal import CommandLineInterface
internal import Glibc
internal import Metrics
internal import PipelineCore

/// The admin endpoint of a process, if it was asked for.
struct AdminServer {
    private let endpoint: AdminEndpoint?

    /// - Parameter address: `host:port`, `:port` or `port`; loopback where no host is named.
    init(_ address: String?, registry: MetricRegistry, monitor: ReadinessMonitor) throws {
        try self.init(
            address, registry: registry, readiness: { monitor.readiness },
            liveness: { monitor.liveness }, details: { monitor.details })
    }

    init(
        _ address: String?, registry: MetricRegistry,
        readiness: @escaping @Sendable () -> Readiness,
        liveness: @escaping @Sendable () -> Liveness, details: @escaping @Sendable () -> String
    ) throws {
        guard let address else {
            endpoint = nil
            return
        }
        let colon = address.lastIndex(of: ":")
        let host = colon.map { String(address[..<$0]) } ?? ""
        let number = colon.map { address[address.index(after: $0)...] } ?? address[...]
        guard let port = UInt16(number) else {
            throw CommandFailure(.usage, "--admin \(address) is not host:port")
        }
        do {
            endpoint = try AdminEndpoint(
                host: host.isEmpty ? "127.0.0.1" : host, port: port, registry: registry,
                readiness: readiness, liveness: liveness, details: details)
        } catch {
            let error = PipelineError(error)
            throw CommandFailure(error.exitCode, error.description)
        }
    }
}

extension PipelineError {
    fileprivate init(_ error: AdminEndpointError) {
        let code: ErrorCode =
            switch error.obstacle {
            case .addressInUse: .addressInUse
            case .cannotListen: .cannotListen
            }
        self = .fatal(code, error.description, cause: error)
    }
}

/// Asks an admin endpoint over HTTP, for the health checks of processes that serve no gRPC.
struct AdminProbe {
    private let host: String
    private let port: String
    private let path: String

    /// - Parameter url: `http://host:port/path`; the path may be left out.
    /// - Throws: ``CommandFailure`` for anything else.
    init(_ url: String) throws {
        let rest = url.dropFirst("http://".count)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        guard let colon = rest[..<slash].lastIndex(of: ":"), colon > rest.startIndex,
            let number = UInt16(rest[rest.index(after: colon)..<slash])
        else { throw CommandFailure(.usage, "\(url) is not http://host:port/path") }
        host = String(rest[..<colon])
        port = "\(number)"
        path = slash == rest.endIndex ? "/readyz" : String(rest[slash...])
    }

    /// The status of the answer.
    ///
    /// Blocks its thread, at most for the timeout at each step: a command that does nothing else
    /// may.
    ///
    /// - Throws: ``CommandFailure`` where there is no answer.
    func status(timeout: Duration) throws -> Int {
        let descriptor = try connected(timeout)
        defer { close(descriptor) }
        var request = "GET \(path) HTTP/1.0\r\nHost: \(host)\r\n\r\n"
        let sent = request.withUTF8 {
            unsafe send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        guard sent == request.utf8.count else { throw failure }
        var bytes = [UInt8](repeating: 0, count: 64)
        let got = unsafe recv(descriptor, &bytes, bytes.count, Int32(MSG_WAITALL))
        guard got > 0 else { throw failure }
        // `HTTP/1.1 200 OK`
        let words = String(decoding: bytes[..<got], as: UTF8.self).split(separator: " ")
        guard words.count > 1, words[0].hasPrefix("HTTP/"), let status = Int(words[1]) else {
            throw CommandFailure(.unavailable, "\(host):\(port) does not speak HTTP")
        }
        return status
    }

    private func connected(_ timeout: Duration) throws -> Int32 {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let unresolved = unsafe getaddrinfo(host, port, &hints, &found)
        guard unresolved == 0, let first = unsafe found else {
            throw CommandFailure(
                .unavailable, "\(host): \(unsafe String(cString: gai_strerror(unresolved)))")
        }
        defer { unsafe freeaddrinfo(first) }
        let descriptor = unsafe socket(
            first.pointee.ai_family, first.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure }
        let (seconds, attoseconds) = timeout.components
        var limit = timeval(
            tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(
                descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        guard unsafe connect(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0
        else {
            let failure = failure
            close(descriptor)
            throw failure
        }
        return descriptor
    }

    private var failure: CommandFailure {
        CommandFailure(.unavailable, "\(host):\(port): \(unsafe String(cString: strerror(errno)))")
    }
}

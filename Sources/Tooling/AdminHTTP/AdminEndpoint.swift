internal import CMicrohttpd
internal import Glibc
public import Metrics

/// Serves metrics and health over HTTP from one thread of
/// [libmicrohttpd](https://www.gnu.org/software/libmicrohttpd/manual/libmicrohttpd.html)'s own.
///
/// `/metrics` answers in Prometheus' text format, `/healthz` with 503 and the reason where only a
/// new start of the process helps, `/readyz` with 200 or with 503 and the reason;
/// `/readyz?verbose` says it of each part. There is no authentication: it listens on loopback
/// unless told otherwise.
@safe public final class AdminEndpoint: Sendable {
    /// The port it listens on.
    public let port: UInt16

    // What libmicrohttpd's thread gets as its context. It outlives the daemon, since the endpoint
    // owns both.
    private final class Context: Sendable {
        let routes: AdminRoutes
        init(_ routes: AdminRoutes) { self.routes = routes }
    }
    private let context: Context
    // Written once, before anybody else can see it; libmicrohttpd locks it itself.
    private nonisolated(unsafe) let daemon: OpaquePointer

    /// Starts listening.
    ///
    /// - Parameters:
    ///   - host: an IPv4 or IPv6 address, or a name.
    ///   - port: 0 for one that is free.
    ///   - connectionLimit: further connections wait until one is closed.
    ///   - timeoutSeconds: a connection that is silent for so long is closed.
    ///   - readiness: called on the endpoint's thread; must not block.
    ///   - liveness: as `readiness`.
    ///   - details: how each part is, a line each; as `readiness`.
    public init(
        host: String = "127.0.0.1", port: UInt16, registry: MetricRegistry,
        connectionLimit: UInt32 = 64, timeoutSeconds: UInt32 = 10,
        readiness: @escaping @Sendable () -> Readiness = { .ready },
        liveness: @escaping @Sendable () -> Liveness = { .alive },
        details: @escaping @Sendable () -> String = { "" }
    ) throws(AdminEndpointError) {
        let socket = try ListeningSocket(host: host, port: port)
        let context = Context(
            AdminRoutes(
                registry: registry, readiness: readiness, liveness: liveness, details: details))
        let daemon = unsafe Self.start(
            socket.descriptor, connectionLimit: connectionLimit, timeoutSeconds: timeoutSeconds,
            context: Unmanaged.passUnretained(context).toOpaque())
        guard let daemon = unsafe daemon else {
            throw AdminEndpointError(
                obstacle: .cannotListen, address: "\(host):\(socket.port)",
                reason: "libmicrohttpd can't start its thread")
        }
        self.context = context
        self.port = socket.port
        unsafe self.daemon = daemon
    }

    /// Closes every connection and joins libmicrohttpd's thread: after this no handler runs.
    deinit { unsafe MHD_stop_daemon(daemon) }

    private static func start(
        _ descriptor: Int32, connectionLimit: UInt32, timeoutSeconds: UInt32,
        context: UnsafeMutableRawPointer
    ) -> OpaquePointer? {
        let flags = MHD_USE_INTERNAL_POLLING_THREAD.rawValue | MHD_USE_EPOLL.rawValue
        let handler: MHD_AccessHandlerCallback = { context, connection, url, method, _, _, _, _ in
            unsafe AdminEndpoint.handle(context!, connection!, url!, method!)
        }
        let options = unsafe [
            MHD_OptionItem(option: .LISTEN_SOCKET, value: Int(descriptor), ptr_value: nil),
            MHD_OptionItem(option: .CONNECTION_LIMIT, value: Int(connectionLimit), ptr_value: nil),
            MHD_OptionItem(option: .CONNECTION_TIMEOUT, value: Int(timeoutSeconds), ptr_value: nil),
            MHD_OptionItem(option: .END, value: 0, ptr_value: nil),
        ]
        return unsafe options.withUnsafeBufferPointer { options in
            unsafe withVaList([
                Int32(MHD_OPTION.ARRAY.rawValue), options.baseAddress!,
                Int32(MHD_OPTION.END.rawValue),
            ]) {
                unsafe MHD_start_daemon_va(flags, 0, nil, nil, handler, context, $0)
            }
        }
    }

    /// Whether the URL ends in `?name`, with a value or without.
    private static func hasArgument(_ name: StaticString, _ connection: OpaquePointer) -> Bool {
        var search = (name: name, isFound: false)
        unsafe withUnsafeMutablePointer(to: &search) { search in
            _ = unsafe MHD_get_connection_values(
                connection, .GET_ARGUMENT_KIND,
                { context, _, key, _ in
                    let search = unsafe context!.assumingMemoryBound(
                        to: (name: StaticString, isFound: Bool).self)
                    let isSame = unsafe String(cString: key!) == search.pointee.name.description
                    if isSame { unsafe search.pointee.isFound = true }
                    return isSame ? .NO : .YES
                }, search)
        }
        return search.isFound
    }

    private static func handle(
        _ context: UnsafeMutableRawPointer, _ connection: OpaquePointer,
        _ url: UnsafePointer<CChar>, _ method: UnsafePointer<CChar>
    ) -> MHD_Result {
        let context = unsafe Unmanaged<Context>.fromOpaque(context).takeUnretainedValue()
        let answer = unsafe context.routes.answer(
            method: String(cString: method), path: String(cString: url),
            isVerbose: hasArgument("verbose", connection))
        var body = answer.body
        let response = body.withUTF8 { bytes in
            unsafe MHD_create_response_from_buffer(
                bytes.count, UnsafeMutableRawPointer(mutating: bytes.baseAddress),
                .RESPMEM_MUST_COPY)
        }
        guard let response = unsafe response else { return .NO }
        defer { unsafe MHD_destroy_response(response) }
        unsafe MHD_add_response_header(response, "Content-Type", answer.contentType)
        if answer.status == 405 { unsafe MHD_add_response_header(response, "Allow", "GET, HEAD") }
        return unsafe MHD_queue_response(connection, answer.status, response)
    }
}

/// The admin port can't be opened.
public struct AdminEndpointError: Error, Sendable, CustomStringConvertible {
    public enum Obstacle: Sendable {
        /// Somebody listens there already.
        case addressInUse
        /// The host is no address or name of this machine, or the port is not allowed.
        case cannotListen
    }
    public let obstacle: Obstacle
    /// `127.0.0.1:9464`, `[::1]:9464`.
    public let address: String
    /// One sentence for a person.
    public let reason: String
    public var description: String { "cannot listen on \(address): \(reason)" }
}

/// Whether the process can do its work now.
public enum Readiness: Sendable, Hashable {
    case ready
    /// One sentence for a person.
    case notReady(reason: String)
}

/// Whether the process gets on by itself.
public enum Liveness: Sendable, Hashable {
    case alive
    /// Only a new start helps. One sentence for a person.
    case stuck(reason: String)
}

/// What a request to the admin port is answered with.
struct AdminResponse: Sendable, Hashable {
    var status: UInt32
    var contentType = "text/plain; charset=utf-8"
    var body: String
}

/// Decides on the answer; knows nothing of HTTP libraries.
struct AdminRoutes: Sendable {
    var registry: MetricRegistry
    var readiness: @Sendable () -> Readiness
    var liveness: @Sendable () -> Liveness
    var details: @Sendable () -> String = { "" }

    /// - Parameter isVerbose: whether `/readyz` shall say how each part is.
    func answer(method: String, path: String, isVerbose: Bool = false) -> AdminResponse {
        guard method == "GET" || method == "HEAD" else {
            return AdminResponse(status: 405, body: "only GET and HEAD\n")
        }
        switch path {
        case "/metrics":
            return AdminResponse(
                status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8",
                body: registry.exposition())
        case "/healthz":
            switch liveness() {
            case .alive: return AdminResponse(status: 200, body: "alive\n")
            case .stuck(let reason): return AdminResponse(status: 503, body: "stuck: \(reason)\n")
            }
        case "/readyz":
            switch readiness() {
            case .ready:
                return AdminResponse(status: 200, body: (isVerbose ? details() : "") + "ready\n")
            case .notReady(let reason):
                let body = isVerbose ? "\(details())not ready\n" : "\(reason)\n"
                return AdminResponse(status: 503, body: body)
            }
        default:
            return AdminResponse(
                status: 404, body: "not found; there are /metrics, /healthz and /readyz\n")
        }
    }
}

/// A bound and listening TCP socket, opened here rather than by libmicrohttpd so that an error
/// keeps its reason.
struct ListeningSocket {
    let descriptor: Int32
    /// The port it got, where 0 was asked for.
    let port: UInt16

    /// - Parameter host: an IPv4 or IPv6 address (brackets allowed) or a name.
    init(host: String, port: UInt16) throws(AdminEndpointError) {
        let bare =
            host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        let address = bare.contains(":") ? "[\(bare)]:\(port)" : "\(bare):\(port)"
        func failure(_ reason: String, _ obstacle: AdminEndpointError.Obstacle = .cannotListen)
            -> AdminEndpointError
        {
            AdminEndpointError(obstacle: obstacle, address: address, reason: reason)
        }

        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let unresolved = unsafe getaddrinfo(bare, String(port), &hints, &found)
        guard unresolved == 0, let first = unsafe found else {
            throw failure(unsafe String(cString: gai_strerror(unresolved)))
        }
        defer { unsafe freeaddrinfo(first) }

        let descriptor = unsafe socket(
            first.pointee.ai_family, first.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure(Self.reason(errno)) }
        var one: Int32 = 1
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        guard unsafe bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0,
            listen(descriptor, 64) == 0
        else {
            let number = errno
            close(descriptor)
            throw number == EADDRINUSE
                ? failure("another process uses this port; choose another one", .addressInUse)
                : failure(Self.reason(number))
        }
        self.descriptor = descriptor
        self.port = Self.boundPort(descriptor) ?? port
    }

    private static func boundPort(_ descriptor: Int32) -> UInt16? {
        var name = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutableBytes(of: &name) { bytes in
            let address = unsafe bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            guard unsafe getsockname(descriptor, address, &length) == 0 else { return nil }
            // sin_port and sin6_port lie at the same place.
            return unsafe UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
        }
    }

    private static func reason(_ number: Int32) -> String {
        unsafe String(cString: strerror(number))
    }
}

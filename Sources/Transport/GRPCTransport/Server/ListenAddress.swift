internal import Calendar
internal import CGRPC
internal import Glibc

/// An address to listen on.
struct ListenAddress {
    let text: String
    /// Of a Unix socket's file.
    private let socketMode: UInt32?
    /// `nil` for a Unix socket.
    let endpoint: (host: String, port: String)?

    /// - Throws: `invalidAddress` unless it is `host:port`, `[IPv6]:port` or `unix:path`.
    init(_ text: String, socketMode: UInt32? = nil) throws(GRPCError) {
        self.text = text
        self.socketMode = socketMode
        if text.hasPrefix("unix:") {
            endpoint = nil
            // An empty one would be a socket without a file, which everybody may open.
            guard text.utf8.count > "unix:".utf8.count else {
                throw GRPCError(.invalidAddress, "cannot listen on \(text): the path is missing")
            }
            return
        }
        guard let colon = text.lastIndex(of: ":"),
            UInt16(text[text.index(after: colon)...]) != nil
        else {
            throw GRPCError(
                .invalidAddress,
                "cannot listen on \(text): the form is host:port with a port from 0 to 65535")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        endpoint = (String(host), String(text[text.index(after: colon)...]))
    }

    /// Opens sockets that listen, one for each address of the host.
    ///
    /// - Parameters:
    ///   - unacknowledged: connections end when the peer has not acknowledged data for so long.
    ///   - port: the one to take where the address leaves it open.
    /// - Returns: the sockets, and their port; 0 for a Unix socket.
    func listen(
        _ unacknowledged: Duration, port: Int = 0
    ) throws(GRPCError) -> (sockets: [Int32], port: Int) {
        guard let endpoint else { return (try [listenOnPath()], 0) }
        var chosen = UInt16(endpoint.port) ?? 0
        if chosen == 0 { chosen = UInt16(clamping: port) }
        var sockets: [Int32] = []
        var obstacle: Obstacle?
        for address in try Self.addresses(of: endpoint, refusal) {
            let (socket, error) = address.bound(port: chosen)
            guard let socket else {
                obstacle = Self.obstacle(error)
                // A machine without IPv6 still has the other half of `localhost`.
                if error == EADDRNOTAVAIL || error == EAFNOSUPPORT { continue }
                close(sockets)
                sockets = []
                break
            }
            sockets.append(socket)
            var timeout = UInt32(clamping: unacknowledged.wholeMilliseconds)
            unsafe setsockopt(
                socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, &timeout,
                socklen_t(MemoryLayout<UInt32>.size))
            guard Glibc.listen(socket, 4_096) == 0 else {
                obstacle = Self.obstacle(errno)
                close(sockets)
                sockets = []
                break
            }
            if chosen == 0 { chosen = Self.port(of: socket) }
        }
        if let obstacle, sockets.isEmpty { throw refusal(obstacle.code, obstacle.reason) }
        return (sockets, Int(chosen))
    }

    /// Closes sockets, and takes a Unix socket's path away.
    func close(_ sockets: [Int32]) {
        for socket in sockets { Glibc.close(socket) }
        if endpoint == nil, !sockets.isEmpty { unsafe unlink(path) }
    }

    /// Why the address can't be had; `nil` for one that is free, and for a Unix socket. Does not
    /// listen: nobody can connect meanwhile.
    func obstacle() -> (code: GRPCError.Code, reason: String)? {
        guard let endpoint else { return nil }
        let addresses: [Address]
        do throws(GRPCError) {
            addresses = try Self.addresses(of: endpoint) { GRPCError($0, $1) }
        } catch { return (error.code, error.message) }
        for address in addresses {
            let (socket, error) = address.bound(port: UInt16(endpoint.port) ?? 0)
            guard let socket else { return Self.obstacle(error) }
            Glibc.close(socket)
        }
        return nil
    }

    func refusal(_ code: GRPCError.Code, _ reason: String) -> GRPCError {
        GRPCError(code, "cannot listen on \(text): \(reason)")
    }
}

extension ListenAddress {
    private typealias Obstacle = (code: GRPCError.Code, reason: String)

    private static func obstacle(_ number: Int32) -> Obstacle {
        (
            number == EADDRINUSE ? .addressInUse : .addressRefused,
            unsafe String(cString: strerror(number))
        )
    }

    /// One address of a host.
    private struct Address {
        var place: sockaddr_storage
        var length: socklen_t
        /// Whether IPv4 has an address of its own beside this one.
        var isIPv6Only: Bool

        /// - Returns: a socket that is bound, or the system's error.
        func bound(port: UInt16) -> (socket: Int32?, error: Int32) {
            let descriptor = socket(
                Int32(place.ss_family),
                Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
            guard descriptor >= 0 else { return (nil, errno) }
            // Connections that linger do not count. Ports are not shared (SO_REUSEPORT): a port
            // that another process shares would seem free.
            var yes: Int32 = 1
            let size = socklen_t(MemoryLayout<Int32>.size)
            unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, size)
            var only: Int32 = isIPv6Only ? 1 : 0
            if Int32(place.ss_family) == AF_INET6 {
                unsafe setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, size)
            }
            var place = place
            let failed = unsafe withUnsafeMutablePointer(to: &place) { pointer in
                // The port lies at the same place in both families.
                unsafe pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    unsafe $0.pointee.sin_port = port.bigEndian
                }
                return unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(descriptor, $0, length)
                }
            }
            if failed == 0 { return (descriptor, 0) }
            let number = errno
            Glibc.close(descriptor)
            return (nil, number)
        }
    }

    private static func addresses(
        of endpoint: (host: String, port: String), _ refusal: (GRPCError.Code, String) -> GRPCError
    ) throws(GRPCError) -> [Address] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>? = nil
        let outcome =
            endpoint.host.isEmpty
            ? unsafe getaddrinfo(nil, endpoint.port, &hints, &found)
            : unsafe getaddrinfo(endpoint.host, endpoint.port, &hints, &found)
        guard outcome == 0, let first = unsafe found else {
            throw refusal(.invalidAddress, unsafe String(cString: gai_strerror(outcome)))
        }
        defer { unsafe freeaddrinfo(first) }
        var addresses: [Address] = []
        var next = unsafe found
        while let address = unsafe next {
            var place = sockaddr_storage()
            unsafe memcpy(&place, address.pointee.ai_addr, Int(address.pointee.ai_addrlen))
            addresses.append(
                Address(
                    place: place, length: unsafe address.pointee.ai_addrlen,
                    isIPv6Only: unsafe first.pointee.ai_next != nil))
            unsafe next = address.pointee.ai_next
        }
        return addresses
    }

    private static func port(of socket: Int32) -> UInt16 {
        var place = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        _ = unsafe withUnsafeMutablePointer(to: &place) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(socket, $0, &length)
            }
        }
        return UInt16(bigEndian: place.sin6_port)
    }

    /// A peer's address as gRPC writes it: `ipv4:127.0.0.1:40000`, `ipv6:[::1]:40000`; of a Unix
    /// socket who it is: `unix:uid=1000,pid=4711`.
    static func text(
        of peer: sockaddr_storage, length: socklen_t, on descriptor: Int32
    ) -> String {
        guard peer.ss_family != AF_UNIX else {
            // `struct ucred`: process, user, group.
            var peer: [UInt32] = [0, 0, 0]
            var size = socklen_t(12)
            let failed = unsafe getsockopt(
                descriptor, SOL_SOCKET, 17 /* SO_PEERCRED */, &peer, &size)
            return failed == 0 ? "unix:uid=\(peer[1]),pid=\(peer[0])" : "unix:"
        }
        var peer = peer
        var host = [CChar](repeating: 0, count: 64)
        var port = [CChar](repeating: 0, count: 8)
        let failed = unsafe withUnsafePointer(to: &peer) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getnameinfo(
                    $0, length, &host, socklen_t(host.count), &port, socklen_t(port.count),
                    NI_NUMERICHOST | NI_NUMERICSERV)
            }
        }
        if failed != 0 { return "unknown" }
        func text(_ bytes: [CChar]) -> String {
            String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        return peer.ss_family == AF_INET6
            ? "ipv6:[\(text(host))]:\(text(port))" : "ipv4:\(text(host)):\(text(port))"
    }
}

// MARK: - Unix sockets

extension ListenAddress {
    private var path: String { String(text.dropFirst("unix:".count)) }

    private var isSocket: Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    /// A socket file that nobody listens at, left by a process that was killed, is replaced.
    private func listenOnPath() throws(GRPCError) -> Int32 {
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        let isCopied = unsafe withUnsafeMutableBytes(of: &place.sun_path) { target in
            guard path.utf8.count < target.count else { return false }
            unsafe target.copyBytes(from: path.utf8)
            return true
        }
        guard isCopied else { throw refusal(.addressRefused, "the path is too long") }
        let kind = Int32(
            SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, kind, 0)
        guard descriptor >= 0 else { throw .noDescriptor() }
        // Before it is bound, the file is made with this mode: nobody else slips in meanwhile.
        if let socketMode { fchmod(descriptor, socketMode) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        func trying(
            _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32, _ descriptor: Int32
        ) -> Int32 {
            unsafe withUnsafePointer(to: &place) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe call(descriptor, $0, length)
                }
            }
        }
        var failed = unsafe trying(bind, descriptor)
        if failed != 0, errno == EADDRINUSE {
            let prober = socket(AF_UNIX, kind, 0)
            let isDead =
                unsafe trying(connect, prober) != 0 && errno == ECONNREFUSED
            if prober >= 0 { Glibc.close(prober) }
            errno = EADDRINUSE
            // Whatever else has that name is somebody's.
            if isDead, isSocket {
                unsafe unlink(path)
                failed = unsafe trying(bind, descriptor)
            }
        }
        if failed == 0, Glibc.listen(descriptor, 4_096) == 0 { return descriptor }
        let obstacle = Self.obstacle(errno)
        Glibc.close(descriptor)
        throw refusal(obstacle.code, obstacle.reason)
    }
}

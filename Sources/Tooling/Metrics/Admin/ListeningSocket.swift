internal import Glibc

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

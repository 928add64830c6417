internal import Glibc

/// An address to listen on.
///
/// The C core takes `localhost` for `localhost:443` and port 99999 for 34463, and tells its log
/// only why it cannot listen; both are made good here.
struct ListenAddress {
    private let text: String
    /// `nil` for a Unix socket.
    let endpoint: (host: String, port: String)?

    /// - Throws: `invalidAddress` unless it is `host:port`, `[IPv6]:port` or `unix:path`.
    init(_ text: String) throws(GRPCError) {
        self.text = text
        if text.hasPrefix("unix:") {
            endpoint = nil
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

    /// Finds out why the C core could not listen, by trying it with the system's own functions.
    func failure() -> GRPCError {
        if endpoint == nil {
            return refusal(.addressRefused, "the path is in use, too long or not writable")
        }
        guard let obstacle = obstacle(listening: true) else {
            return refusal(.addressRefused, "the reason is in gRPC's log")
        }
        return refusal(obstacle.code, obstacle.reason)
    }

    /// Why the address can't be had; `nil` for one that is free, and for a Unix socket.
    ///
    /// - Parameter listening: whether to listen as well, so that for a moment somebody could connect.
    func obstacle(listening: Bool) -> (code: GRPCError.Code, reason: String)? {
        guard let endpoint else { return nil }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>? = nil
        let outcome = unsafe getaddrinfo(endpoint.host, endpoint.port, &hints, &found)
        guard outcome == 0, let first = unsafe found else {
            return unsafe (.invalidAddress, String(cString: gai_strerror(outcome)))
        }
        defer { unsafe freeaddrinfo(first) }
        let number = unsafe Self.error(ofBinding: first.pointee, listening: listening)
        if number == 0 { return nil }
        return unsafe (
            number == EADDRINUSE ? .addressInUse : .addressRefused,
            String(cString: strerror(number))
        )
    }

    func refusal(_ code: GRPCError.Code, _ reason: String) -> GRPCError {
        GRPCError(code, "cannot listen on \(text): \(reason)")
    }

    private static func error(ofBinding address: addrinfo, listening: Bool) -> Int32 {
        let descriptor = unsafe socket(
            address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        // As the C core does, so that connections that linger do not count. It shares ports (SO_REUSEPORT) as well, which
        // must not be asked for here: a port that another process shares would seem free.
        var yes: Int32 = 1
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        if unsafe bind(descriptor, address.ai_addr, address.ai_addrlen) != 0 { return errno }
        return !listening || listen(descriptor, 1) == 0 ? 0 : errno
    }
}

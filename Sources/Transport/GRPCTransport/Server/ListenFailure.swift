internal import Glibc

/// Finds out why an address cannot be listened on, which the C core only writes to its log.
enum ListenFailure {
    /// Tries the address once more, with the system's own functions.
    static func diagnose(_ address: String) -> GRPCError {
        if address.hasPrefix("unix:") {
            return GRPCError(
                .addressRefused,
                "cannot listen on \(address): the path is in use, too long or not writable")
        }
        guard let (host, port) = split(address) else {
            return GRPCError(
                .invalidAddress, "cannot listen on \(address): the form is host:port")
        }
        return tryToBind(address, host: host, port: port)
    }

    private static func split(_ address: String) -> (host: String, port: String)? {
        guard let colon = address.lastIndex(of: ":") else { return nil }
        let port = address[address.index(after: colon)...]
        guard UInt16(port) != nil else { return nil }
        var host = address[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return (String(host), String(port))
    }

    private static func tryToBind(_ address: String, host: String, port: String) -> GRPCError {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>? = nil
        let outcome = unsafe getaddrinfo(host, port, &hints, &found)
        guard outcome == 0, let first = unsafe found else {
            let reason = unsafe String(cString: gai_strerror(outcome))
            return GRPCError(.invalidAddress, "cannot listen on \(address): \(reason)")
        }
        defer { unsafe freeaddrinfo(first) }
        let number = unsafe bindError(first.pointee)
        let reason = number == 0 ? "unknown reason" : unsafe String(cString: strerror(number))
        return GRPCError(
            number == EADDRINUSE ? .addressInUse : .addressRefused,
            "cannot listen on \(address): \(reason)")
    }

    private static func bindError(_ address: addrinfo) -> Int32 {
        let descriptor = unsafe socket(address.ai_family, address.ai_socktype, 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        // As the C core does, so that connections that linger do not count.
        var yes: Int32 = 1
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        if unsafe bind(descriptor, address.ai_addr, address.ai_addrlen) != 0 { return errno }
        return listen(descriptor, 1) == 0 ? 0 : errno
    }
}

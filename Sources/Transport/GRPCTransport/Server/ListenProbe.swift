internal import Glibc

/// Whether a server could listen on an address.
public enum ListenProbe {
    /// Binds the address and lets it go again, without listening: nobody can connect meanwhile.
    ///
    /// - Throws: ``GRPCError`` with the reason why a server would not start, naming the process in the way where that can
    ///   be found out.
    public static func check(_ address: String) throws(GRPCError) {
        try ListenAddress(address).checkFree()
    }
}

extension ListenAddress {
    func checkFree() throws(GRPCError) {
        guard let endpoint else { return }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>? = nil
        let outcome = unsafe getaddrinfo(endpoint.host, endpoint.port, &hints, &found)
        guard outcome == 0, let first = unsafe found else {
            throw unsafe refusal(.invalidAddress, String(cString: gai_strerror(outcome)))
        }
        defer { unsafe freeaddrinfo(first) }
        let number = unsafe Self.bindError(first.pointee)
        if number == 0 { return }
        let reason = unsafe String(cString: strerror(number))
        guard number == EADDRINUSE else { throw refusal(.addressRefused, reason) }
        let holder = UInt16(endpoint.port).flatMap(ListeningProcess.of(port:))
        throw refusal(.addressInUse, holder.map { "\(reason), by \($0)" } ?? reason)
    }

    private static func bindError(_ address: addrinfo) -> Int32 {
        let descriptor = unsafe socket(
            address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        // As the C core does, so that connections that linger do not count. It shares ports (SO_REUSEPORT) as well, which
        // must not be asked for here: a port that another process shares would seem free.
        var yes: Int32 = 1
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        return unsafe bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno
    }
}

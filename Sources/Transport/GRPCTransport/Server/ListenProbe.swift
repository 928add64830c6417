/// Whether a server could listen on an address.
public enum ListenProbe {
    /// Binds the address and lets it go again, without listening: nobody can connect meanwhile.
    ///
    /// - Throws: ``GRPCError`` with the reason why a server would not start, naming the process in the way where that can
    ///   be found out.
    public static func check(_ address: String) throws(GRPCError) {
        let address = try ListenAddress(address)
        guard let obstacle = address.obstacle() else { return }
        var reason = obstacle.reason
        if obstacle.code == .addressInUse, let port = address.endpoint.flatMap({ UInt16($0.port) }),
            let holder = ListeningProcess.of(port: port)
        {
            reason += ", by \(holder)"
        }
        throw address.refusal(obstacle.code, reason)
    }
}

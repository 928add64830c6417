internal import CGRPC
internal import Glibc
internal import Synchronization

/// One connection of a client, from its acceptance until the C core has closed it.
final class ClientConnection: Sendable {
    fileprivate let descriptor: Int32
    /// Names the socket whatever becomes of the descriptor's number.
    fileprivate let inode: UInt64
    /// As gRPC writes it: `ipv4:127.0.0.1:40000`.
    let peer: String
    let since = ContinuousClock.now
    /// Calls in the hands of tasks.
    let openCalls = Atomic(0)

    init(descriptor: Int32, inode: UInt64, peer: String) {
        self.descriptor = descriptor
        self.inode = inode
        self.peer = peer
    }
}

/// The connections that a server has accepted.
///
/// The C core closes their descriptors without a word, so that a number may belong to somebody
/// else's file any time: whether it still is the connection's socket is told by the socket's inode.
/// To end a connection its socket is duplicated first and looked at then, which nothing can come
/// between.
final class Connections: Sendable {
    private struct State {
        var byDescriptor: [Int32: ClientConnection] = [:]
        /// Those that have not sent anything yet, as far as is known.
        var silent: [ClientConnection] = []
        /// Kept for the moment in which no descriptor is left.
        var spare: Int32
    }
    /// What a connection may do without a call before others may take its place.
    private static let leastIdle = Duration.seconds(1)

    let limit: Int
    private let handshakeTimeout: Duration
    private let state: Mutex<State>

    /// - Parameters:
    ///   - limit: the most connections.
    ///   - handshakeTimeout: a connection that has sent nothing by then is ended.
    /// - Throws: `noDescriptor`.
    init(limit: Int, handshakeTimeout: Duration) throws(GRPCError) {
        self.limit = limit
        self.handshakeTimeout = handshakeTimeout
        let spare = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
        if spare < 0 { throw .noDescriptor() }
        state = Mutex(State(spare: spare))
    }

    deinit { _ = state.withLock { close($0.spare) } }

    var count: Int { state.withLock { $0.byDescriptor.count } }

    func add(_ descriptor: Int32, peer: String) {
        guard let inode = Self.inode(of: descriptor) else { return }
        let connection = ClientConnection(descriptor: descriptor, inode: inode, peer: peer)
        state.withLock { state in
            state.byDescriptor[descriptor] = connection
            state.silent.append(connection)
        }
    }

    /// The connection of a call, by the name that the C core gives to a descriptor.
    ///
    /// - Parameter name: `fd:17`; anything else is no connection of this table.
    func named(_ name: String) -> ClientConnection? {
        guard name.hasPrefix("fd:"), let descriptor = Int32(name.dropFirst(3)) else { return nil }
        return state.withLock { $0.byDescriptor[descriptor] }
    }

    /// Forgets connections that have been closed, and ends those that have connected and never said
    /// anything.
    func lookAfter() {
        state.withLock { state in
            state.byDescriptor = state.byDescriptor.filter { Self.isOpen($0.value) }
            var silent: [ClientConnection] = []
            for connection in state.silent
            where state.byDescriptor[connection.descriptor] === connection {
                guard Self.hasSaidNothing(connection) else { continue }
                if connection.since.duration(to: .now) < handshakeTimeout {
                    silent.append(connection)
                } else {
                    Self.end(connection, &state)
                }
            }
            state.silent = silent
        }
    }

    /// Makes room by ending connections without a call, those first that have been idle the
    /// longest.
    ///
    /// - Returns: whether there is room, or will be soon: once the C core has closed them, or once
    ///   those without a call have been idle for long enough.
    func makeRoom() -> Bool {
        state.withLock { state in
            state.byDescriptor = state.byDescriptor.filter { Self.isOpen($0.value) }
            if state.byDescriptor.count < limit { return true }
            return Self.endIdle(max(1, limit / 16), &state)
        }
    }

    /// Ends idle connections because the process has no descriptors left, whatever the limit.
    func giveWay() -> Bool {
        state.withLock { Self.endIdle(max(1, $0.byDescriptor.count / 16), &$0) }
    }

    /// Ends a connection whose client does not take its answers.
    func end(_ connection: ClientConnection) {
        state.withLock { Self.end(connection, &$0) }
    }

    /// Accepts one connection and closes it, with the descriptor that is kept for this: the client
    /// learns at once that there is no room.
    ///
    /// - Returns: whether there was one.
    func turnAway(at listener: Int32) -> Bool {
        state.withLock { state in
            close(state.spare)
            let refused = penstock_accept(listener, nil, nil)
            if refused >= 0 { close(refused) }
            state.spare = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
            return refused >= 0
        }
    }

    /// - Returns: whether there are any without a call.
    private static func endIdle(_ most: Int, _ state: inout State) -> Bool {
        let idle = state.byDescriptor.values.compactMap { connection in
            connection.openCalls.load(ordering: .relaxed) == 0
                ? (connection, idle: idleTime(of: connection)) : nil
        }.sorted { $0.idle > $1.idle }
        for (connection, _) in idle.prefix(most).filter({ $0.idle >= leastIdle }) {
            end(connection, &state)
        }
        return !idle.isEmpty
    }

    /// The C core sees the end of the connection, and closes it.
    private static func end(_ connection: ClientConnection, _ state: inout State) {
        guard state.spare >= 0,
            penstock_duplicate(connection.descriptor, state.spare) == state.spare
        else { return }
        if inode(of: state.spare) == connection.inode {
            // Nothing that is still to be sent stays in the kernel.
            var now = linger(l_onoff: 1, l_linger: 0)
            unsafe setsockopt(
                state.spare, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
            shutdown(state.spare, Int32(SHUT_RDWR))
        }
        // The duplicate would keep the socket open.
        close(state.spare)
        state.spare = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
    }

    // MARK: What the system knows

    private static func inode(of descriptor: Int32) -> UInt64? {
        var status = stat()
        return unsafe fstat(descriptor, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    private static func isOpen(_ connection: ClientConnection) -> Bool {
        inode(of: connection.descriptor) == connection.inode
    }

    /// The time since the client last sent something, or was let in: what it has sent while it
    /// waited for that has not been looked at before.
    private static func idleTime(of connection: ClientConnection) -> Duration {
        var info = tcp_info()
        var size = socklen_t(MemoryLayout<tcp_info>.size)
        let failed = unsafe getsockopt(
            connection.descriptor, Int32(IPPROTO_TCP), TCP_INFO, &info, &size)
        let age = connection.since.duration(to: .now)
        // A Unix socket's peer is of this machine; its age must do.
        return failed != 0 ? age : min(age, .milliseconds(Int64(info.tcpi_last_data_recv)))
    }

    /// By the bytes that have come: the moment of the last ones can't tell a client that said
    /// everything at once from one that said nothing.
    private static func hasSaidNothing(_ connection: ClientConnection) -> Bool {
        // `tcpi_bytes_received` of Linux, which the system library's `tcp_info` ends before.
        let place = 128 / 8
        var words = [UInt64](repeating: 0, count: 32)
        var size = socklen_t(words.count * 8)
        let failed = unsafe getsockopt(
            connection.descriptor, Int32(IPPROTO_TCP), TCP_INFO, &words, &size)
        guard failed == 0, Int(size) >= (place + 1) * 8 else { return false }
        return words[place] == 0 && connection.openCalls.load(ordering: .relaxed) == 0
    }
}

extension GRPCError {
    static func noDescriptor() -> GRPCError {
        GRPCError(
            .noDescriptor,
            "no descriptor is left (\(unsafe String(cString: strerror(errno)))): raise the limit of open files (ulimit -n)"
        )
    }
}

internal import CGRPC
internal import Calendar
internal import Concurrency
internal import Glibc
internal import Metrics
internal import Synchronization

/// Accepts connections on a thread of its own, and hands them to the shards in turn.
///
/// The C core could listen by itself, but its loop ends for good with the first `accept` that
/// fails, and it takes whatever comes: a moment without descriptors would leave the server deaf.
/// Here the number of connections stays below what the process may open, idle ones make room for
/// new ones, and a socket that fails is opened again.
final class Listener: Sendable {
    /// Descriptors that connections leave to everything else in the process, if the limit allows
    /// for so many.
    static let reserve = 256
    private static let pause = 100

    let port: Int
    let connections: Connections
    private let address: ListenAddress
    private let keepaliveTimeout: Duration
    private let metrics: ServerMetrics
    private let isStopping = Atomic(false)
    /// A pipe that ends the thread's wait.
    private let wake: (reading: Int32, writing: Int32)
    private let trouble = Mutex<String?>(nil)
    /// Changed by the thread only, once it runs.
    private let sockets: Mutex<[Int32]>
    private let thread = Mutex<NativeThread?>(nil)

    /// Binds and listens, without accepting.
    init(
        _ configuration: GRPCServer.Configuration, _ metrics: ServerMetrics
    ) throws(GRPCError) {
        let address = try ListenAddress(
            configuration.address, socketMode: configuration.unixSocketMode)
        self.metrics = metrics
        self.address = address
        keepaliveTimeout = configuration.keepaliveTimeout
        connections = try Connections(
            limit: min(configuration.maxConnections, Self.affordableConnections),
            handshakeTimeout: configuration.handshakeTimeout)
        let listening = try address.listen(keepaliveTimeout)
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else {
            address.close(listening.sockets)
            throw .noDescriptor()
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        wake = (ends[0], ends[1])
        sockets = Mutex(listening.sockets)
        port = listening.port
    }

    deinit {
        sockets.withLock { address.close($0) }
        close(wake.reading)
        close(wake.writing)
    }

    private static var affordableConnections: Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(7 /* RLIMIT_NOFILE */), &limit) == 0 else {
            return 256
        }
        let descriptors = Int(clamping: limit.rlim_cur)
        return max(1, descriptors - min(reserve, descriptors / 2))
    }

    /// Why no connection, or not every one, is accepted; `nil` while all is well.
    var problem: String? { trouble.withLock { $0 } }

    /// Begins to accept.
    func start(_ shards: [ServerShard]) throws(GRPCError) {
        let thread = try NativeThread.starting(name: "grpc-accept") { self.run(shards) }
        self.thread.withLock { $0 = thread }
    }

    /// Accepts no more, and closes the sockets. Blocks for a moment.
    func stop() {
        if isStopping.exchange(true, ordering: .releasing) { return }
        var one: UInt8 = 1
        _ = unsafe write(wake.writing, &one, 1)
        thread.withLock { $0.take() }?.join()
        sockets.withLock { sockets in
            address.close(sockets)
            sockets = []
        }
    }

    // MARK: The thread

    private func run(_ shards: [ServerShard]) {
        var turn = 0
        var mayAccept = true
        while !isStopping.load(ordering: .acquiring) {
            let listening = sockets.withLock { $0 }
            var entries = [pollfd(fd: wake.reading, events: Int16(POLLIN), revents: 0)]
            if mayAccept {
                entries += listening.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            }
            let ready = unsafe poll(
                &entries, nfds_t(entries.count), mayAccept ? 1_000 : Int32(Self.pause))
            if entries[0].revents != 0 { continue }
            connections.lookAfter()
            if ready <= 0 {
                if mayAccept { trouble.withLock { $0 = nil } }
                mayAccept = true
                if listening.isEmpty { mayAccept = listenAgain() }
                continue
            }
            for entry in entries.dropFirst() where entry.revents != 0 {
                mayAccept = acceptAll(at: entry.fd, shards, &turn) && mayAccept
            }
        }
    }

    /// - Returns: whether to go on without a pause.
    private func acceptAll(
        at listener: Int32, _ shards: [ServerShard], _ turn: inout Int
    ) -> Bool {
        for _ in 0..<64 {
            if connections.count >= connections.limit {
                let text = "\(connections.limit) connections are open, as many as may be"
                trouble.withLock { $0 = text }
                if connections.makeRoom() {
                    if connections.count >= connections.limit { return false }
                } else {
                    if connections.turnAway(at: listener) { metrics.refusedConnections.increment() }
                    continue
                }
            }
            switch acceptOne(at: listener, shards[turn % shards.count]) {
            case 0:
                turn &+= 1
                if connections.count < connections.limit { trouble.withLock { $0 = nil } }
            case EAGAIN: return true
            case EINTR, ECONNABORTED, EPROTO: continue
            case EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP: return listenAgain()
            case let error:
                let text = unsafe String(cString: strerror(error))
                trouble.withLock { $0 = "connections can't be accepted: \(text)" }
                if error == EMFILE || error == ENFILE, !connections.giveWay() {
                    if connections.turnAway(at: listener) { metrics.refusedConnections.increment() }
                }
                return false
            }
        }
        return true
    }

    /// - Returns: the system's error, or 0.
    private func acceptOne(at listener: Int32, _ shard: ServerShard) -> Int32 {
        var peer = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let descriptor = unsafe withUnsafeMutablePointer(to: &peer) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe penstock_accept(listener, $0, &length)
            }
        }
        guard descriptor >= 0 else { return errno }
        var yes: Int32 = 1
        unsafe setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        connections.add(
            descriptor, peer: ListenAddress.text(of: peer, length: length, on: descriptor))
        shard.handle.add(connection: descriptor)
        return 0
    }

    /// Opens the sockets again; the port stays the same.
    private func listenAgain() -> Bool {
        sockets.withLock { sockets in
            for socket in sockets { Glibc.close(socket) }
            sockets = []
        }
        do throws(GRPCError) {
            let fresh = try address.listen(keepaliveTimeout, port: port).sockets
            sockets.withLock { $0 = fresh }
            return true
        } catch {
            trouble.withLock { $0 = error.message }
            return false
        }
    }
}

/// Who listens on a port, by what [proc(5)](https://man7.org/linux/man-pages/man5/proc.5.html)
/// shows: other users' processes only to root.
private enum ListeningProcess {
    /// `process 4711 (penstock)`; `nil` where it can't be found out.
    static func of(port: UInt16) -> String? {
        let sockets = Set(["/proc/net/tcp", "/proc/net/tcp6"].flatMap { inodes(in: $0, port) })
        if sockets.isEmpty { return nil }
        for process in entries(of: "/proc") where process.allSatisfy(\.isNumber) {
            let folder = "/proc/\(process)/fd"
            let holds = entries(of: folder).contains { entry in
                target(of: "\(folder)/\(entry)").map(sockets.contains) ?? false
            }
            guard holds else { continue }
            let command = String(decoding: contents(of: "/proc/\(process)/comm"), as: UTF8.self)
            return "process \(process) (\(command.prefix { !$0.isNewline }))"
        }
        return nil
    }

    /// `socket:[12345]` for each listening socket of the port.
    private static func inodes(in table: String, _ port: UInt16) -> [String] {
        let listening = "0A"
        let suffix = ":" + port.padded(to: 4, radix: 16, uppercase: true)
        return String(decoding: contents(of: table), as: UTF8.self).split(separator: "\n")
            .compactMap { line in
                let fields = line.split(separator: " ")
                guard fields.count > 9, fields[1].hasSuffix(suffix), fields[3] == listening else {
                    return nil
                }
                return "socket:[\(fields[9])]"
            }
    }

    private static func entries(of folder: String) -> [String] {
        guard let stream = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    private static func target(of link: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 128)
        let count = unsafe readlink(link, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func contents(of path: String) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 14)
        while true {
            let got = unsafe read(descriptor, &buffer, buffer.count)
            guard got > 0 else { return bytes }
            bytes += buffer[..<got]
        }
    }
}

/// Whether a server could listen on an address.
public enum ListenProbe {
    /// Binds the address and lets it go again, without listening: nobody can connect meanwhile.
    ///
    /// - Throws: ``GRPCError`` with the reason why a server would not start, naming the process in
    ///   the way where that can be found out.
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

internal import AdminHTTP
internal import Concurrency
internal import Glibc
internal import Metrics
internal import PipelineCore

/// The service manager that started this process, such as systemd, if it wants to be told how the
/// process is: a datagram to the socket that it names
/// ([sd_notify](https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html)).
struct ServiceManager: Sendable {
    /// How often to look before the process is ready, and after that.
    private static let intervals: (starting: Duration, running: Duration) = (
        .milliseconds(200), .seconds(1)
    )

    /// A path, or a name that begins with `@`.
    private let address: String
    /// Half of the time after which a silent process is ended; `nil` where none is.
    private let watchdog: Duration?

    /// `nil` where nobody is to be told.
    init?(_ variables: [String: String], process: Int32 = getpid()) {
        guard let address = variables["NOTIFY_SOCKET"],
            address.hasPrefix("/") || address.hasPrefix("@")
        else { return nil }
        self.address = address
        let isForUs = variables["WATCHDOG_PID"].map { $0 == String(process) } ?? true
        let limit = variables["WATCHDOG_USEC"].flatMap(Int64.init) ?? 0
        watchdog = isForUs && limit > 0 ? .microseconds(limit / 2) : nil
    }

    /// Tells of the start, of what waits, and of the stop, until it is cancelled.
    ///
    /// - Parameters:
    ///   - readiness: asked now and then.
    ///   - liveness: while it is stuck, the watchdog hears nothing.
    ///   - status: what waits, in a few words; `nil` while nobody knows.
    func tell(
        _ readiness: @Sendable () -> Readiness, _ liveness: @Sendable () -> Liveness,
        stop: AsyncEvent, clock: PipelineClock, status: @Sendable () -> String?
    ) async {
        var (isStarting, isStopping, told) = (true, false, "")
        var lastSign: Instant?
        while !Task.isCancelled {
            var lines: [String] = []
            let readiness = readiness()
            if isStarting, readiness == .ready {
                isStarting = false
                lines.append("READY=1")
            }
            if stop.isSet, !isStopping {
                isStopping = true
                lines.append("STOPPING=1")
            }
            let liveness = isStopping ? .alive : liveness()
            let now = isStopping ? "stopping" : Self.words(liveness, readiness, status())
            if now != told {
                told = now
                lines.append("STATUS=\(now)")
            }
            let time = clock.now
            if let watchdog, liveness == .alive,
                lastSign.map({ $0.duration(to: time) >= watchdog }) ?? true
            {
                lastSign = time
                lines.append("WATCHDOG=1")
            }
            if !lines.isEmpty { send(lines.joined(separator: "\n")) }
            let interval = isStarting ? Self.intervals.starting : Self.intervals.running
            let pause = min(interval, watchdog.map { $0 / 4 } ?? interval)
            await Self.pause(for: pause, orUntil: isStopping ? nil : stop, clock: clock)
        }
    }

    private static func pause(
        for pause: Duration, orUntil stop: AsyncEvent?, clock: PipelineClock
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await clock.sleep(for: pause) }
            if let stop { group.addTask { try? await stop.wait() } }
            await group.next()
            group.cancelAll()
        }
    }

    private static func words(
        _ liveness: Liveness, _ readiness: Readiness, _ status: String?
    ) -> String {
        let text =
            switch (liveness, readiness) {
            case (.stuck(let reason), _): "stuck: \(reason)"
            case (.alive, .ready): status ?? "running"
            case (.alive, .notReady("stopping")): "reloading"
            case (.alive, .notReady(let reason)): "not ready: \(reason)"
            }
        return text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// A manager that does not listen is no reason to stop working, and is not waited for.
    private func send(_ message: String) {
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        // A name that is no path begins with a byte of 0, and ends where it ends.
        var name = Array(address.utf8)
        if name[0] == UInt8(ascii: "@") { name[0] = 0 }
        let isCopied = unsafe withUnsafeMutableBytes(of: &place.sun_path) { target in
            guard name.count < target.count else { return false }
            unsafe target.copyBytes(from: name)
            return true
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard isCopied, descriptor >= 0 else { return }
        defer { close(descriptor) }
        let length = MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + name.count
        var bytes = Array(message.utf8)
        unsafe withUnsafePointer(to: &place) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = unsafe sendto(
                    descriptor, &bytes, bytes.count,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT), $0, socklen_t(length))
            }
        }
    }
}

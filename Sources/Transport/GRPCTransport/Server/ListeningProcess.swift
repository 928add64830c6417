internal import Calendar
internal import Glibc

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

internal import Glibc
internal import PipelineCore
internal import Specification

/// What the process was started with.
enum ProcessEnvironment {
    static var variables: [String: String] {
        var variables: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let parts = unsafe String(cString: text).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            unsafe entry += 1
        }
        return variables
    }

    /// A file, or standard input for `-`.
    /// - Throws: ``Diagnostic`` with the reason, in a sentence that does not name the file.
    static func readPipeline(_ path: String) throws -> [UInt8] {
        do throws(Diagnostic) {
            return path == "-" ? try readAll(STDIN_FILENO) : try bytes(of: path)
        } catch {
            throw Diagnostic(error.code, "can't be read: \(error.message)")
        }
    }

    /// A file that somebody named.
    /// - Throws: ``Diagnostic`` with the reason, in a sentence that names the file.
    static func readFile(_ path: String, limit: Int = 16 << 20) throws -> [UInt8] {
        do throws(Diagnostic) {
            return try bytes(of: path, limit: limit)
        } catch {
            throw Diagnostic(error.code, "can't read \(path): \(error.message)")
        }
    }

    private static func bytes(
        of path: String, limit: Int = 16 << 20
    ) throws(Diagnostic) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure }
        defer { close(descriptor) }
        return try readAll(descriptor, limit: limit)
    }

    private static func readAll(
        _ descriptor: Int32, limit: Int = 16 << 20
    ) throws(Diagnostic) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = unsafe read(descriptor, &buffer, buffer.count)
            if got == 0 { return bytes }
            if got < 0 {
                if errno == EINTR { continue }
                throw failure
            }
            bytes += buffer[..<got]
            if bytes.count > limit {
                throw Diagnostic(.tooLarge, "it is larger than \(limit >> 20) MiB")
            }
        }
    }

    /// What the system says of the last call.
    private static var failure: Diagnostic {
        Diagnostic(.unreadableFile, unsafe String(cString: strerror(errno)))
    }

    static func specification(missing: Environment.Missing) -> Environment {
        Environment(variables: variables, missing: missing) { path in
            String(decoding: try bytes(of: path), as: UTF8.self)
        }
    }

    /// Lets this process open as many files as it may: a server's connections are bounded by that.
    static func raiseFileLimit() {
        let resource = __rlimit_resource_t(7)  // RLIMIT_NOFILE
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return }
        // Beyond that nothing is won, and libraries that look through all descriptors are slow.
        let wanted = min(limit.rlim_max, 65_536)
        guard wanted > limit.rlim_cur else { return }
        limit.rlim_cur = wanted
        unsafe setrlimit(resource, &limit)
    }

    /// Names this process in leases: `host:pid`.
    static var worker: String {
        var name = [CChar](repeating: 0, count: 256)
        unsafe gethostname(&name, name.count - 1)
        let host = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return "\(String(decoding: host, as: UTF8.self)):\(getpid())"
    }
}

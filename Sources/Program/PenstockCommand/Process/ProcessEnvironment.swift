internal import CommandLineInterface
internal import Concurrency
internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import Glibc
internal import PipelineConfiguration
internal import PipelineCore
internal import StandardCatalogue
internal import Synchronization

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
            return try input(path)
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

    /// A file of requests, or standard input for `-`.
    /// - Throws: ``CommandFailure`` with the reason.
    static func readRequests(_ path: String) throws(CommandFailure) -> [UInt8] {
        do throws(Diagnostic) {
            return try input(path, limit: 256 << 20)
        } catch {
            throw CommandFailure(.usage, "can't read \(path): \(error.message)")
        }
    }

    /// A file, or standard input for `-`.
    private static func input(
        _ path: String, limit: Int = 16 << 20
    ) throws(Diagnostic) -> [UInt8] {
        path == "-" ? try readAll(STDIN_FILENO, limit: limit) : try bytes(of: path, limit: limit)
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

    /// What pipeline files may ask for: variables and files.
    static func ofFiles(missing: Environment.Missing) -> Environment {
        Environment(variables: variables, missing: missing) { path in
            String(decoding: try bytes(of: path), as: UTF8.self)
        }
    }

    /// Fewer descriptors than that, and libraries end the process by a trap instead of an error:
    /// libgrpc and libdispatch do so for their own first ones.
    private static let leastFiles: rlim_t = 64

    /// Lets this process open as many files as it may: a server's connections are bounded by that.
    ///
    /// - Throws: ``CommandFailure`` `unavailable` when that is too few to work at all.
    static func raiseFileLimit() throws {
        let resource = __rlimit_resource_t(7)  // RLIMIT_NOFILE
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return }
        if limit.rlim_max < leastFiles {
            throw CommandFailure(
                .unavailable,
                "this process may open \(limit.rlim_max) files, and needs \(leastFiles) at least: raise the limit of open files (ulimit -n)"
            )
        }
        // Beyond that nothing is won, and libraries that look through all descriptors are slow.
        let wanted = min(limit.rlim_max, 65_536)
        guard wanted > limit.rlim_cur else { return }
        limit.rlim_cur = wanted
        unsafe setrlimit(resource, &limit)
    }

    /// Fewer threads than that, and libraries wait for ever for those that they did not get:
    /// libgrpc and librdkafka start theirs one by one, and do not say so.
    private static let leastThreads = 24

    /// Tries whether the system gives as many threads as the libraries of a serving process need.
    ///
    /// - Throws: ``CommandFailure`` `unavailable` when it does not.
    static func reserveThreads() throws {
        let trial = ThreadTrial()
        var threads: [NativeThread] = []
        defer { for thread in threads { thread.join() } }
        try trial.lock.withLock { _ in
            while threads.count < leastThreads {
                do {
                    threads.append(try NativeThread(name: "trial") { trial.lock.withLock { _ in } })
                } catch {
                    throw CommandFailure(
                        .unavailable,
                        "this process gets \(threads.count) more threads, and needs \(leastThreads) at least: \(error)"
                    )
                }
            }
        }
    }

    /// What the threads of a trial wait for, so that they are there at once.
    private final class ThreadTrial: Sendable {
        let lock = Mutex(())
    }

    /// Who has started this process: `user@host`.
    static var user: String {
        let name = unsafe getpwuid(getuid()).map { unsafe String(cString: $0.pointee.pw_name) }
        return "\(name ?? "uid \(getuid())")@\(host)"
    }

    /// Names this process in leases: `host:pid`.
    static var worker: String { "\(host):\(getpid())" }

    private static var host: String {
        var name = [CChar](repeating: 0, count: 256)
        unsafe gethostname(&name, name.count - 1)
        let host = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: host, as: UTF8.self)
    }
}

/// The store that a command without a pipeline file works on.
enum StandardStoreAddress {
    /// What pipelines use when nothing else is said.
    private static let embeddedDefault = "embedded:data/penstock.sqlite"

    /// The address given on the command line; PENSTOCK_STORE otherwise, or the embedded default.
    ///
    /// - Throws: ``CommandFailure`` `usage` for what is no address.
    static func of(_ given: String?) throws -> ResourceAddress {
        let named = ProcessEnvironment.variables["PENSTOCK_STORE"].flatMap { $0.isEmpty ? nil : $0 }
        let url = given ?? named ?? embeddedDefault
        guard let address = ResourceAddress(url: url) else {
            throw CommandFailure(
                .usage, "\"\(Redaction.withoutCredentials(url))\" is not the address of a store")
        }
        return address
    }
}

extension OpenResources {
    /// - Throws: ``CommandFailure`` `usage` when there is no store at that address.
    mutating func openStore(_ address: ResourceAddress) throws -> any StandardStore {
        guard let store = try open(address) as? any StandardStore else {
            throw CommandFailure(.usage, "\(address) is not a store")
        }
        return store
    }
}

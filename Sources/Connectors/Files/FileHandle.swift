internal import Glibc
internal import PipelineCore

/// An open file descriptor; closed with the last reference if it is ours.
final class FileHandle: Sendable {
    private let descriptor: Int32
    private let path: String
    private let isOwned: Bool
    /// Ends a read that waits for a writer.
    private let interruption: Interruption?

    init(
        path: String, flags: Int32, seekTo offset: Int64 = 0, createsFolder: Bool = false
    ) throws {
        if createsFolder, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            // Where it can't be made, opening says why.
            _ = unsafe mkdir(String(path[..<slash]), 0o755)
        }
        descriptor = unsafe open(path, flags | O_CLOEXEC, 0o644)
        self.path = path
        isOwned = true
        interruption = nil
        if descriptor < 0 { throw Self.error("open", path) }
        if offset > 0, lseek(descriptor, off_t(offset), SEEK_SET) < 0 {
            throw Self.error("seek in", path)
        }
    }

    init(borrowing descriptor: Int32, interruption: Interruption? = nil) {
        self.interruption = interruption
        self.descriptor = descriptor
        path = "standard stream \(descriptor)"
        isOwned = false
    }

    deinit { if isOwned && descriptor >= 0 { close(descriptor) } }

    /// Up to `count` bytes; none at the end.
    /// - Throws: `CancellationError` once the handle's interruption has been asked for.
    func read(_ count: Int) throws -> [UInt8] {
        try interruption?.awaitReadable(descriptor)
        var bytes = [UInt8](repeating: 0, count: count)
        while true {
            let got = unsafe Glibc.read(descriptor, &bytes, count)
            if got >= 0 { return Array(bytes[..<got]) }
            if errno != EINTR { throw Self.error("read", path) }
        }
    }

    func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let wrote = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if wrote >= 0 {
                rest = rest.dropFirst(wrote)
            } else if errno != EINTR {
                throw Self.error("write", path)
            }
        }
    }

    func synchronize() throws {
        if fdatasync(descriptor) != 0, errno != EINVAL { throw Self.error("flush", path) }
    }

    private static func error(_ what: String, _ path: String) -> PipelineError {
        let reason = unsafe String(cString: strerror(errno))
        let isPassing = errno == ENOSPC || errno == EIO || errno == EAGAIN
        return PipelineError(
            isPassing ? .retryable : .fatal, code: "file-unusable",
            "can't \(what) \(path): \(reason)")
    }
}

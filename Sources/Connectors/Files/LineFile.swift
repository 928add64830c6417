internal import Concurrency
internal import Glibc
public import PipelineCore
internal import Synchronization

/// A file of lines: read from the start, or appended to.
public final class LineFile: LineInput, LineOutput {
    private let path: String
    private let worker = WorkerThread()
    private let input = Mutex<LineReader?>(nil)
    private let output = Mutex<FileHandle?>(nil)
    private let rejected = Mutex<FileHandle?>(nil)

    /// - Parameter path: relative to the working directory, or absolute.
    public init(path: String) { self.path = path }

    public var name: String { "file:\(path)" }
    public var isSeekable: Bool { true }

    public func probe() async throws {
        let path = path
        try await worker.run { _ = try FileHandle(path: path, flags: O_RDONLY) }
    }

    public func lines(from offset: Int64, maxBytes: Int) async throws -> [Line] {
        try await worker.run { [self] in
            try input.withLock { held in
                if held == nil || held?.offset != offset {
                    // The file that is open stays the one, whatever has its name by now.
                    let file = try held?.file ?? FileHandle(path: path, flags: O_RDONLY)
                    try file.seek(to: offset)
                    held = LineReader(file, offset, isEndFinal: false)
                }
                return try held?.lines(maxBytes: maxBytes) ?? []
            }
        }
    }

    public func objection(to offset: Int64, _ witness: LogWitness?) async throws -> String? {
        try await worker.run { [self] in
            try input.withLock { held in
                let file = try held?.file ?? FileHandle(path: path, flags: O_RDONLY)
                let objection = try file.objection(to: offset, witness)
                held = objection == nil ? LineReader(file, -1, isEndFinal: false) : nil
                return objection
            }
        }
    }

    public func witness(at offset: Int64) async throws -> LogWitness? {
        try await worker.run { [self] in
            try input.withLock { held in
                guard offset > 0, let file = held?.file else { return nil }
                return try file.witness(at: offset)
            }
        }
    }

    /// Looks at the file that has the name now.
    public func objection(toReadingFrom offset: Int64) async throws -> String? {
        try await worker.run { [self] in
            let file = try FileHandle(path: path, flags: O_RDONLY)
            let size = try file.size
            if offset > size {
                return "\(name) has \(size) bytes: byte \(offset) lies beyond its end"
            }
            guard let (before, after) = try file.lineBeginnings(around: offset, of: size) else {
                return nil
            }
            let begin =
                after < size
                ? "the nearest lines begin at \(before) and \(after)"
                : "that line begins at \(before), and the file ends at \(size)"
            return "byte \(offset) of \(name) lies in the middle of a line: \(begin)"
        }
    }

    /// A file of another number (device and inode) has the name, or this one has been cut.
    public func isFollowed() async throws -> Bool {
        try await worker.run { [self] in
            try input.withLock { held in
                guard let reader = held else { return false }
                guard try reader.file.isReplaced || reader.file.size < reader.offset else {
                    return false
                }
                held = nil
                return true
            }
        }
    }

    public func append(_ records: [OutgoingRecord]) async throws {
        try await append(records, to: output, path)
    }

    /// Appends whole lines as they are, without waiting for the disk.
    public func append(lines: Bytes) async throws {
        let handle = try opened(output, path)
        try await worker.run { try handle.write(Array(lines)) }
    }

    /// Kept in `<file>.dead-letters`, a JSON object each, which says why and holds the line.
    public func keepRejected(_ lines: [OutgoingRecord]) async throws {
        try await append(lines.map(LineBytes.deadLetter), to: rejected, "\(path).dead-letters")
    }

    private func append(
        _ records: [OutgoingRecord], to file: borrowing Mutex<FileHandle?>, _ path: String
    ) async throws {
        let bytes = LineBytes.joined(records)
        let handle = try opened(file, path)
        try await worker.run {
            try handle.write(bytes)
            try handle.synchronize()
        }
    }

    private func opened(
        _ file: borrowing Mutex<FileHandle?>, _ path: String
    ) throws -> FileHandle {
        try file.withLock { held in
            let open =
                try held
                ?? FileHandle(
                    path: path, flags: O_WRONLY | O_CREAT | O_APPEND, createsFolder: true)
            held = open
            return open
        }
    }

    public func close() async {
        input.withLock { $0 = nil }
        output.withLock { $0 = nil }
        rejected.withLock { $0 = nil }
    }
}

extension FileHandle {
    /// Bytes at the file's beginning, and as many before an offset, by which it is known.
    private static let witnessBytes: Int64 = 4096

    fileprivate func witness(at offset: Int64) throws -> LogWitness {
        let count = min(offset, Self.witnessBytes)
        let bytes = try read(0..<count) + read(offset - count..<offset)
        return LogWitness(offset: offset, digest: Digest(of: bytes[...]).low)
    }

    fileprivate func objection(to offset: Int64, _ witness: LogWitness?) throws -> String? {
        let (size, seen) = (try size, max(offset, witness?.offset ?? 0))
        if size < seen { return "it was read up to byte \(seen) and has \(size)" }
        guard let witness, try self.witness(at: witness.offset) != witness else { return nil }
        return "its first \(witness.offset) bytes are others than those that were read"
    }
}

extension FileHandle {
    /// The last beginning of a line before an offset and the first one behind it, or the end;
    /// `nil` where the offset is one itself.
    fileprivate func lineBeginnings(
        around offset: Int64, of size: Int64
    ) throws -> (before: Int64, after: Int64)? {
        let block: Int64 = 64 << 10
        if offset <= 0 || offset == size { return nil }
        if try read(offset - 1..<offset) == [0x0A] { return nil }
        var (before, after) = (offset, offset)
        while before > 0 {
            let start = max(0, before - block)
            if let end = try read(start..<before).lastIndex(of: 0x0A) {
                before = start + Int64(end) + 1
                break
            }
            before = start
        }
        while after < size {
            let end = min(size, after + block)
            if let index = try read(after..<end).firstIndex(of: 0x0A) {
                after += Int64(index) + 1
                break
            }
            after = end
        }
        return (before, after)
    }
}

extension LineFile {
    /// Asks the system what it would permit (access(2)); opens and creates nothing.
    public func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        needs.map { need in
            switch need {
            case .reading: readable()
            case .writing: writable(path, need.subject)
            case .topic, .ledger, .generation:
                ResourceFinding(need.subject, .wrong, "a file of lines is no place for it")
            }
        }
    }

    private func readable() -> ResourceFinding {
        let subject = ResourceNeed.reading.subject
        guard unsafe access(path, R_OK) == 0 else {
            return ResourceFinding(subject, .wrong, "\(path): \(Self.reason)")
        }
        let refused = writable("\(path).dead-letters", subject)
        return refused.verdict == .ok
            ? ResourceFinding(subject, .ok, "\(path) can be read") : refused
    }

    private func writable(_ path: String, _ subject: String) -> ResourceFinding {
        if unsafe access(path, W_OK) == 0 {
            return ResourceFinding(subject, .ok, "\(path) can be written to")
        }
        guard errno == ENOENT else {
            return ResourceFinding(subject, .wrong, "\(path): \(Self.reason)")
        }
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard unsafe access(folder, W_OK | X_OK) == 0 else {
            return ResourceFinding(
                subject, .wrong, "\(path) can't be created in \(folder): \(Self.reason)")
        }
        return ResourceFinding(subject, .ok, "\(path) will be created")
    }

    private static var reason: String { unsafe String(cString: strerror(errno)) }
}

/// Which file a path leads to, found out without opening it: the same for every way to write the
/// path, through links and dots, also while the file is not there yet.
public struct FileIdentity: Sendable, Hashable {
    /// A name that no other file has.
    public let name: String
    /// Whether what is read from it is gone: a pipe, a terminal.
    let isStream: Bool

    /// Links that are followed before a path is taken as it stands.
    private static let mostLinks = 40

    /// `nil` for `/dev/null`, which may be used for everything at once.
    public init?(path: String) {
        var information = stat()
        if unsafe stat(path, &information) == 0 {
            let kind = information.st_mode & S_IFMT
            let isDevice = kind == S_IFCHR
            if isDevice, Self.resolved(path) == "/dev/null" { return nil }
            name = "file \(information.st_dev):\(information.st_ino)"
            isStream = isDevice || kind == S_IFIFO || kind == S_IFSOCK
            return
        }
        name = "path \(Self.place(of: path))"
        isStream = false
    }

    /// Where a file would be made: its folder's own path, and its name in it.
    private static func place(of path: String) -> String {
        var path = path
        for _ in 0..<mostLinks {
            // A link that leads nowhere yet: the file is made where it points to.
            guard let target = target(ofLink: path) else { break }
            path = target.hasPrefix("/") ? target : "\(split(path).folder)/\(target)"
        }
        let (folder, name) = split(path)
        if let folder = resolved(folder) { return folder == "/" ? "/\(name)" : "\(folder)/\(name)" }
        // A folder that is not there is no link either.
        let parent = folder == path ? path : place(of: folder)
        switch name {
        case ".": return parent
        case "..": return split(parent).folder
        default: return "\(parent)/\(name)"
        }
    }

    private static func split(_ path: String) -> (folder: String, name: String) {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        return (folder, String(path[path.index(after: slash)...]))
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    private static func target(ofLink path: String) -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe readlink(path, &bytes, bytes.count)
        guard count > 0 else { return nil }
        return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension LineFile {
    /// The files that an address of lines leads to.
    public static func place(of path: String) -> ResourcePlace? {
        // Other names of a stream of this process.
        if ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].contains(path) {
            return ResourcePlace(reads: StandardStream.place.reads, isStream: true)
        }
        guard let file = FileIdentity(path: path) else { return nil }
        return ResourcePlace(
            reads: file.name, writes: file.name,
            rejects: FileIdentity(path: "\(path).dead-letters")?.name, isStream: file.isStream)
    }
}

extension StandardStream {
    /// Standard input is one for all who read it; what is written to standard output may be mixed.
    public static let place = ResourcePlace(reads: "standard input", isStream: true)
}

internal import Glibc
public import PipelineCore
internal import Synchronization

/// A file of lines: read from the start, or appended to.
public final class LineFile: LineInput, LineOutput {
    let path: String
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
                    held = LineReader(
                        try FileHandle(path: path, flags: O_RDONLY, seekTo: offset), offset)
                }
                return try held?.lines(maxBytes: maxBytes) ?? []
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

    /// Kept in `<file>.dead-letters`, one JSON-free line each, as they came.
    public func keepRejected(_ lines: [OutgoingRecord]) async throws {
        try await append(lines, to: rejected, "\(path).dead-letters")
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

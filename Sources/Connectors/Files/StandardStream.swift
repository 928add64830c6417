internal import Glibc
public import PipelineCore
internal import Synchronization

/// Standard input as a source of lines, standard output as a sink, standard error for what is refused.
public final class StandardStream: LineInput, LineOutput {
    private let worker = WorkerThread()
    private let input = Mutex(LineReader(FileHandle(borrowing: STDIN_FILENO), 0))
    private let output = FileHandle(borrowing: STDOUT_FILENO)
    private let rejected = FileHandle(borrowing: STDERR_FILENO)

    public init() {}

    public var name: String { "stdin" }
    public var isSeekable: Bool { false }
    public func probe() async throws {}

    public func lines(from offset: Int64, maxBytes: Int) async throws -> [Line] {
        try await worker.run { [self] in
            try input.withLock { try $0.lines(maxBytes: maxBytes) }
        }
    }

    public func append(_ records: [OutgoingRecord]) async throws {
        let bytes = LineBytes.joined(records)
        try await worker.run { [output] in try output.write(bytes) }
    }

    public func keepRejected(_ lines: [OutgoingRecord]) async throws {
        let bytes = LineBytes.joined(lines.map(LineBytes.explained))
        try await worker.run { [rejected] in try rejected.write(bytes) }
    }

    public func close() async {}
}

internal import Glibc
public import PipelineCore
internal import Synchronization

/// Standard input as a source of lines, standard output as a sink, standard error for what is
/// refused.
public final class StandardStream: LineInput, LineOutput {
    private let worker = WorkerThread()
    private let input: Mutex<LineReader>
    private let output: FileHandle
    private let rejected: FileHandle
    private let interruption = Interruption()

    public convenience init() {
        self.init(input: STDIN_FILENO, output: STDOUT_FILENO, rejected: STDERR_FILENO)
    }

    /// - Parameters: descriptors, which stay the caller's.
    init(input: Int32, output: Int32, rejected: Int32) {
        self.input = Mutex(
            LineReader(
                FileHandle(borrowing: input, interruption: interruption), 0, isEndFinal: true))
        self.output = FileHandle(borrowing: output)
        self.rejected = FileHandle(borrowing: rejected)
    }

    public var name: String { "stdin" }
    public var isSeekable: Bool { false }
    public func probe() async throws {}
    public func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] { [ResourceFinding(.ok, "a stream of this process")] }

    /// A read that waits for somebody to type ends with the task's cancellation.
    public func lines(from offset: Int64, maxBytes: Int) async throws -> [Line] {
        try await withTaskCancellationHandler {
            try await worker.run { [self] in
                try input.withLock { try $0.lines(maxBytes: maxBytes) }
            }
        } onCancel: {
            interruption.ask()
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

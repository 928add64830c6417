internal import Concurrency
internal import Glibc
internal import LocatedJSON
public import PipelineCore
internal import Synchronization

/// Cuts what a file yields into lines.
struct LineReader: Sendable {
    /// A longer line is an error: it would have to be held in memory whole.
    private static let maxLine = 8 << 20

    let file: FileHandle
    /// Nobody will write any more once the end was reached.
    private let isEndFinal: Bool
    private var buffer: [UInt8] = []
    /// The offset of the first byte that was not handed out.
    private(set) var offset: Int64
    private var isAtEnd = false

    init(_ file: FileHandle, _ offset: Int64, isEndFinal: Bool) {
        self.file = file
        self.isEndFinal = isEndFinal
        self.offset = offset
    }

    /// Whole lines, at least one unless the input has ended; the last may lack its end.
    mutating func lines(maxBytes: Int) throws -> [Line] {
        while !isAtEnd {
            let before = buffer.count
            let read = try file.read(maxBytes)
            if read.isEmpty { isAtEnd = true }
            buffer += read
            if buffer[before...].contains(0x0A) { break }
            if buffer.count > Self.maxLine {
                throw PipelineError.fatal(
                    .lineTooLong,
                    "a line is longer than \(Self.maxLine) bytes (at byte \(offset))")
            }
        }
        return cut()
    }

    private mutating func cut() -> [Line] {
        var lines: [Line] = []
        var start = 0
        let whole = buffer
        for (index, byte) in whole.enumerated() where byte == 0x0A {
            lines.append(line(whole, start, index, next: index + 1))
            start = index + 1
        }
        if isAtEnd, start < whole.count {
            var last = line(whole, start, whole.count, next: whole.count)
            last.isEnded = isEndFinal
            lines.append(last)
            start = whole.count
        }
        offset += Int64(start)
        buffer.removeFirst(start)
        return lines
    }

    private func line(_ bytes: [UInt8], _ start: Int, _ end: Int, next: Int) -> Line {
        let text = bytes[start..<end]
        return Line(
            text: text.last == 0x0D ? text.dropLast() : text, next: offset + Int64(next))
    }
}

/// Records as lines.
enum LineBytes {
    static func joined(_ records: [OutgoingRecord]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(records.reduce(0) { $0 + $1.payload.count + 1 })
        for record in records {
            // A line break inside would make two records of one.
            bytes.append(contentsOf: record.payload.lazy.map { $0 == 0x0A ? 0x20 : $0 })
            bytes.append(0x0A)
        }
        return bytes
    }

    /// A refused line with its reason before it.
    static func explained(_ record: OutgoingRecord) -> OutgoingRecord {
        let reason = record.headers.last { $0.name == "penstock-reason" }?.value ?? []
        var copy = record
        copy.payload = ("refused: ".utf8 + reason + ": ".utf8 + record.payload)[...]
        return copy
    }

    /// A refused line as a JSON object: why it was refused, where it stood, and the line itself, in
    /// Base64 if it is no text.
    static func deadLetter(_ record: OutgoingRecord) -> OutgoingRecord {
        func header(_ name: String) -> String {
            let value = record.headers.last { $0.name == "penstock-\(name)" }?.value ?? []
            return String(decoding: value, as: UTF8.self)
        }
        let payload: (String, JSON)
        if let text = String(validating: record.payload, as: UTF8.self) {
            payload = ("payload", .string(text))
        } else {
            payload = ("payload_base64", .string(base64(record.payload)))
        }
        let letter = JSON.object([
            ("stage", .string(header("stage"))), ("code", .string(header("code"))),
            ("reason", .string(header("reason"))),
            ("attempts", .number(Int(header("attempts")) ?? 1)),
            (
                "origin",
                .object([
                    ("source", .string(header("origin-topic"))),
                    ("offset", .number(Int(header("origin-offset")) ?? 0)),
                ])
            ),
            payload,
        ])
        return OutgoingRecord(key: nil, payload: Array(letter.written().utf8)[...])
    }

    private static func base64(_ bytes: Bytes) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        var rest = bytes
        while !rest.isEmpty {
            let group = rest.prefix(3)
            rest = rest.dropFirst(3)
            let word = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for index in 0..<4 {
                text.append(
                    index <= group.count
                        ? digits[word >> (18 - 6 * index) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

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

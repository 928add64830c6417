public import PipelineCore
internal import Synchronization

/// Lines in memory, one byte of end each; a read hands out a few at a time.
public final class FakeLines: LineInput {
    public let name: String
    public let isSeekable: Bool
    /// The offsets that reads began at.
    public let reads = Journal<Int64>()
    /// What was kept of refused lines.
    public let rejected = Journal<OutgoingRecord>()
    public let closings = Journal<Void>()
    /// What reads fail with.
    public let failures = Failures()
    private let lines: [String]
    private let linesPerRead: Int

    public init(
        _ lines: [String], name: String = "file:lines", isSeekable: Bool = true,
        linesPerRead: Int = .max
    ) {
        self.lines = lines
        self.name = name
        self.isSeekable = isSeekable
        self.linesPerRead = linesPerRead
    }

    public func lines(from offset: Int64, maxBytes: Int) async throws -> [Line] {
        reads.note(offset)
        try failures.throwNext()
        var next: Int64 = 0
        var found: [Line] = []
        for text in lines {
            let start = next
            next += Int64(text.utf8.count) + 1
            if start >= offset, found.count < linesPerRead {
                found.append(Line(text: Array(text.utf8)[...], next: next))
            }
        }
        return found
    }

    public func keepRejected(_ lines: [OutgoingRecord]) async throws {
        for line in lines { rejected.note(line) }
    }
    public func probe() async throws {}
    public func close() async { closings.note(()) }
}

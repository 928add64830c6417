internal import PipelineCore

/// Cuts what a file yields into lines.
struct LineReader: Sendable {
    /// A longer line is an error: it would have to be held in memory whole.
    static let maxLine = 8 << 20

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
                    "line-too-long",
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

import Foundation

/// Frames over standard input and output: a length of four bytes, little-endian, then the bytes.
struct FramedPipe {
    let input: FileHandle
    let output: FileHandle

    /// The next frame; nil at the end of the input.
    func read() throws -> [UInt8]? {
        guard let head = try read(count: 4) else { return nil }
        return try read(count: head.reversed().reduce(0) { $0 << 8 | Int($1) })
    }

    private func read(count: Int) throws -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let data = try input.read(upToCount: count - bytes.count), !data.isEmpty else {
                return nil
            }
            bytes += data
        }
        return bytes
    }

    func write(_ bytes: [UInt8]) throws {
        let head = (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) }
        try output.write(contentsOf: Data(head + bytes))
    }
}

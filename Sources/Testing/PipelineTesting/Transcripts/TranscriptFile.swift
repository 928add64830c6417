internal import Glibc
internal import Specification

/// A transcript on disk.
public struct TranscriptFile: Sendable, CustomStringConvertible {
    public let path: String

    /// The file's name without its ending.
    public var description: String {
        String(path.split(separator: "/").last?.dropLast(5) ?? "")
    }

    /// All of a folder, by name; none where there is no such folder.
    public static func all(in folder: String) -> [TranscriptFile] {
        guard let stream = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            names.append(
                unsafe withUnsafeBytes(of: entry.pointee.d_name) { name in
                    unsafe String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names.filter { $0.hasSuffix(".json") }.sorted().map {
            TranscriptFile(path: "\(folder)/\($0)")
        }
    }

    /// - Throws: `Diagnostics` for what is not a transcript.
    public func load() throws -> BatchingTranscript {
        guard let file = unsafe fopen(path, "r") else {
            throw ConformanceFailure("cannot read \(path)")
        }
        defer { unsafe fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        bytes.removeLast(bytes.count - (unsafe fread(&bytes, 1, bytes.count, file)))
        do throws(Diagnostics) {
            return try BatchingTranscript.decode(try JSON(parsing: bytes))
        } catch {
            throw error.located(in: path)
        }
    }
}

internal import Glibc

/// The compiled time zones of the system (Debian's `tzdata`).
///
/// Read here and not by the C library, which knows one zone a process.
public struct TimeZoneDatabase: Sendable {
    /// Where Debian keeps them.
    public static let system = TimeZoneDatabase(folder: "/usr/share/zoneinfo")

    let folder: String

    /// - Parameter folder: holds a TZif file a zone, and `tzdata.zi` with their names.
    public init(folder: String) { self.folder = folder }

    /// The zone of that name; nil if there is none, or no database.
    public func zone(named name: String) -> TimeZone? {
        if name == "UTC" { return .utc }
        guard Self.isName(name), let bytes = contents(of: name), let file = TimeZoneFile(bytes)
        else { return nil }
        return TimeZone(name: name, firstOffset: file.firstOffset, changes: file.changes)
    }

    /// All names; none without a database.
    public func names() -> [String] {
        let lines = contents(of: "tzdata.zi")?.split(separator: UInt8(ascii: "\n")) ?? []
        // `Z Europe/Berlin …` defines a zone, `L Europe/Berlin Arctic/Longyearbyen` links to one.
        return lines.compactMap { line in
            let words = line.split(separator: UInt8(ascii: " "), maxSplits: 3)
            let name: ArraySlice<UInt8>? =
                switch words.first?.first {
                case UInt8(ascii: "Z"): words.count > 1 ? words[1] : nil
                case UInt8(ascii: "L"): words.count > 2 ? words[2] : nil
                default: nil
                }
            return name.map { String(decoding: $0, as: UTF8.self) }
        }.sorted()
    }

    /// Names lead nowhere but into the folder.
    private static func isName(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return parts.allSatisfy { part in
            guard let first = part.first, (0x41...0x5A).contains(first & 0xDF) else { return false }
            return part.allSatisfy {
                (0x41...0x5A).contains($0 & 0xDF) || (0x30...0x39).contains($0)
                    || "_+-".utf8.contains($0)
            }
        }
    }

    private func contents(of name: String) -> [UInt8]? {
        let descriptor = unsafe open("\(folder)/\(name)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count < 1 << 22 {
            let count = unsafe read(descriptor, &buffer, buffer.count)
            if count < 0 { return nil }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
        return nil
    }
}

internal import ConfigurationDiagnostics
public import ConfigurationFields
internal import Glibc
public import LocatedJSON

/// What the clocks of a region show: how far they are ahead of UTC, and when that changes.
public struct TimeZone: Sendable {
    /// From `instant` on clocks are `offset` seconds ahead of UTC.
    struct Change: Sendable, Hashable {
        /// Seconds since 1970-01-01T00:00:00Z.
        var instant: Int64
        /// Seconds east of UTC.
        var offset: Int64
    }

    /// A stretch of time during which the offset stays the same; seconds since 1970-01-01T00:00:00Z.
    public struct Period: Sendable, Hashable {
        /// `Int64.min` for the first.
        public var start: Int64
        /// The first second that is no longer in it; `Int64.max` for the last.
        public var end: Int64
        /// Seconds east of UTC.
        public var offset: Int64
        /// What it was before `start`: less where clocks were put forward, more where back.
        public var previousOffset: Int64
    }

    /// As in the database: `Europe/Berlin`.
    public let name: String
    private let firstOffset: Int64
    /// Ascending, each to another offset.
    private let changes: [Change]

    /// - Parameter changes: in any order; of several at one instant the last counts.
    init(name: String, firstOffset: Int64, changes: [Change]) {
        self.name = name
        self.firstOffset = firstOffset
        let ordered = changes.enumerated().sorted {
            ($0.element.instant, $0.offset) < ($1.element.instant, $1.offset)
        }
        var kept: [Change] = []
        for change in ordered.map(\.element) {
            if kept.last?.instant == change.instant { kept.removeLast() }
            if change.offset != kept.last?.offset ?? firstOffset { kept.append(change) }
        }
        self.changes = kept
    }

    /// Coordinated universal time; needs no database.
    public static let utc = TimeZone(name: "UTC", firstOffset: 0, changes: [])

    /// The period that a second is in.
    public func period(at second: Int64) -> Period {
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].instant <= second { low = middle + 1 } else { high = middle }
        }
        // `low` changes have happened.
        let offset = low > 0 ? changes[low - 1].offset : firstOffset
        return Period(
            start: low > 0 ? changes[low - 1].instant : .min,
            end: low < changes.count ? changes[low].instant : .max, offset: offset,
            previousOffset: low > 1
                ? changes[low - 2].offset : low > 0 ? firstOffset : offset)
    }
}

extension TimeZone: Hashable {
    /// Zones of one name are the same: a process reads each from the same database.
    public static func == (left: TimeZone, right: TimeZone) -> Bool { left.name == right.name }
    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}

extension TimeZone: TextValue {
    public static var kind: String { "time zone" }
    public static var schema: JSON {
        ["type": "string", "minLength": 1, "examples": ["Europe/Berlin", "UTC"]]
    }

    /// Reads a name of the system's database.
    public init(parsing text: String) throws(Refusal) {
        let database = TimeZoneDatabase.system
        if let zone = database.zone(named: text) {
            self = zone
            return
        }
        let names = database.names()
        guard !names.isEmpty else {
            throw Refusal(
                .invalidValue,
                "is not known: this machine has no time zones in \(database.folder)",
                hint: "install tzdata; \"UTC\" needs none")
        }
        let nearest = Suggestion.nearest(to: text, among: names)
        throw Refusal(
            .invalidValue, "is not a time zone",
            hint: nearest.map { "did you mean \(JSON.quoted($0))?" }
                ?? "write a name of the tz database: \"Europe/Berlin\", \"UTC\"")
    }

    public var text: String { name }
}

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

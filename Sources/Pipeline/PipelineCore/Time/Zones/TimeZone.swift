internal import Calendar
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

    /// A stretch of time during which the offset stays the same; seconds since
    /// 1970-01-01T00:00:00Z.
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

    fileprivate let folder: String

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

/// A compiled time zone ([TZif](https://www.rfc-editor.org/rfc/rfc9636), version 2 and later).
struct TimeZoneFile {
    /// How far ahead the rule that a file ends with is written out.
    private static let lastYear: Int64 = 2200

    /// Before the first change.
    var firstOffset: Int64
    var changes: [TimeZone.Change]

    /// - Returns: nil for what is not such a file, or a damaged one.
    init?(_ bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard let old = reader.header(), reader.skip(old.size(timeBytes: 4)),
            let header = reader.header(), header.typeCount > 0
        else { return nil }
        let end = reader.place + header.size(timeBytes: 8)
        guard end <= bytes.count else { return nil }
        let instants = (0..<header.timeCount).map { _ in reader.integer(bytes: 8) }
        let types = (0..<header.timeCount).map { _ in Int(reader.integer(bytes: 1) & 0xFF) }
        let offsets = (0..<header.typeCount).map { _ in
            let offset = reader.integer(bytes: 4)
            reader.place += 2
            return offset
        }
        guard types.allSatisfy({ $0 < offsets.count }) else { return nil }
        firstOffset = offsets[0]
        changes = zip(instants, types).map { .init(instant: $0, offset: offsets[$1]) }
        let footer = bytes[end...].split(separator: UInt8(ascii: "\n")).first ?? []
        if footer.isEmpty { return }
        guard let rule = TimeZoneRule(String(decoding: footer, as: UTF8.self)) else { return nil }
        let last = changes.last?.instant
        let days = (last ?? 0).flooredDivision(by: 86_400).quotient
        let years = CivilDate(daysSinceEpoch: days).year...Self.lastYear
        changes += years.flatMap(rule.changes).filter { $0.instant > last ?? .min }
        if last == nil { firstOffset = rule.standardOffset }
    }

    private struct Header {
        var utCount: Int
        var standardCount: Int
        var leapCount: Int
        var timeCount: Int
        var typeCount: Int
        var charCount: Int

        func size(timeBytes: Int) -> Int {
            timeCount * (timeBytes + 1) + typeCount * 6 + charCount + leapCount * (timeBytes + 4)
                + standardCount + utCount
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var place = 0

        /// - Returns: nil unless a header of version 2 or later is here.
        mutating func header() -> Header? {
            guard place + 44 <= bytes.count, bytes[place..<place + 4].elementsEqual("TZif".utf8),
                bytes[place + 4] >= UInt8(ascii: "2")
            else { return nil }
            place += 20
            let counts = (0..<6).map { _ in Int(integer(bytes: 4)) }
            // Bounds that keep the sizes from overflowing.
            guard counts.allSatisfy({ (0...1 << 20).contains($0) }) else { return nil }
            return Header(
                utCount: counts[0], standardCount: counts[1], leapCount: counts[2],
                timeCount: counts[3], typeCount: counts[4], charCount: counts[5])
        }

        mutating func skip(_ count: Int) -> Bool {
            place += count
            return place <= bytes.count
        }

        /// The next big-endian number, with its sign.
        mutating func integer(bytes count: Int) -> Int64 {
            let value = bytes[place..<place + count].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            place += count
            let unused = 64 - 8 * count
            return Int64(bitPattern: value << unused) >> unused
        }
    }
}

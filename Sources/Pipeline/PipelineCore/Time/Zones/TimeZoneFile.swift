internal import Calendar

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

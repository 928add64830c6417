internal import Calendar
public import PipelineCore

/// Events on their way into a store: a row each, their texts in one buffer, so that an event costs
/// no allocation of its own.
///
/// Nothing here makes an event count once: that is the doing of the positions that advance in the
/// transaction which stores it (``ReportStore/append(_:advances:)``). Two records with the same
/// `event_id` count twice.
public struct EventBatch: Sendable {
    /// One event; its texts lie in the batch's buffer, product before checkout.
    struct Row: Sendable {
        var id: UUID
        var occurredAt: Timestamp
        var count: Int32
        var kind: EventKind
        var textStart: Int
        var productLength: Int
        /// 0: no checkout.
        var checkoutLength: Int
    }

    private(set) var rows: [Row] = []
    private var texts: [UInt8] = []

    public init() {}

    /// How many events there are.
    public var count: Int { rows.count }
    public var isEmpty: Bool { rows.isEmpty }

    public mutating func reserveCapacity(_ count: Int) {
        rows.reserveCapacity(count)
        texts.reserveCapacity(count * 32)
    }

    /// Appends an event that satisfies the rules of `conversion-event` (``EventRules``).
    ///
    /// - Parameters:
    ///   - checkoutID: `nil` for an event without one.
    ///   - occurredAt: not before 1970.
    ///   - count: how many views or payments it stands for; at least 1.
    public mutating func append(
        id: UUID, kind: EventKind, productID: String, checkoutID: String?, occurredAt: Timestamp,
        count: Int32 = 1
    ) {
        precondition(count > 0 && occurredAt.microseconds >= 0, "not a valid event")
        let start = texts.count
        texts.append(contentsOf: productID.utf8)
        let productLength = texts.count - start
        if let checkoutID { texts.append(contentsOf: checkoutID.utf8) }
        rows.append(
            Row(
                id: id, occurredAt: occurredAt, count: count, kind: kind, textStart: start,
                productLength: productLength,
                checkoutLength: texts.count - start - productLength))
    }

    /// The product's bytes (UTF-8).
    func product(of row: Row) -> Bytes {
        texts[row.textStart..<row.textStart + row.productLength]
    }

    /// The checkout's bytes; empty without one.
    func checkout(of row: Row) -> Bytes {
        let start = row.textStart + row.productLength
        return texts[start..<start + row.checkoutLength]
    }
}

/// What an event counts towards. The raw value is how stores keep it.
public enum EventKind: UInt8, Sendable, CaseIterable {
    case view = 0x56  // V
    case payment = 0x50  // P

    /// The raw value as text.
    var name: String {
        switch self {
        case .view: "V"
        case .payment: "P"
        }
    }
}

/// What a batch of events adds to one hour of one product and checkout.
struct HourDelta: Sendable {
    /// The hour's first instant.
    var bucket: Timestamp
    var views: Int64
    var payments: Int64
    /// A row of the batch with the delta's product and checkout.
    var row: Int
}

extension EventBatch {
    /// The batch summed up by hour, product and checkout, in order of first appearance.
    ///
    /// Texts are compared byte by byte, as the stores compare them: `String` would take two
    /// spellings of "é" for one.
    func hourDeltas() -> [HourDelta] {
        var deltas: [HourDelta] = []
        // Open addressing over the deltas' indices, at most half full.
        var slots = [Int32](repeating: -1, count: tableSize(for: count))
        for index in rows.indices {
            let row = rows[index]
            let bucket = row.occurredAt.startOfHour
            var slot = hash(of: row, bucket: bucket) & (slots.count - 1)
            while slots[slot] >= 0 && !isSame(deltas[Int(slots[slot])], row, bucket) {
                slot = (slot + 1) & (slots.count - 1)
            }
            if slots[slot] < 0 {
                slots[slot] = Int32(deltas.count)
                deltas.append(HourDelta(bucket: bucket, views: 0, payments: 0, row: index))
            }
            switch row.kind {
            case .view: deltas[Int(slots[slot])].views += Int64(row.count)
            case .payment: deltas[Int(slots[slot])].payments += Int64(row.count)
            }
        }
        return deltas
    }

    private func tableSize(for count: Int) -> Int {
        var size = 16
        while size < count * 2 { size *= 2 }
        return size
    }

    private func hash(of row: Row, bucket: Timestamp) -> Int {
        let end = row.textStart + row.productLength + row.checkoutLength
        let texts = Digest(of: texts[row.textStart..<end])
        let hour = UInt64(bitPattern: bucket.microseconds) &* 0x9E37_79B9_7F4A_7C15
        return Int(truncatingIfNeeded: (texts.low ^ hour ^ hour >> 32) >> 1)
    }

    private func isSame(_ delta: HourDelta, _ row: Row, _ bucket: Timestamp) -> Bool {
        let other = rows[delta.row]
        guard delta.bucket == bucket, other.productLength == row.productLength,
            other.checkoutLength == row.checkoutLength
        else { return false }
        for offset in 0..<row.productLength + row.checkoutLength
        where texts[other.textStart + offset] != texts[row.textStart + offset] {
            return false
        }
        return true
    }
}

extension Timestamp {
    static var hour: Int64 { 3_600_000_000 }
    static var day: Int64 { 86_400_000_000 }

    /// The first instant of the hour (UTC). Not before 1970.
    fileprivate var startOfHour: Timestamp {
        Timestamp(microseconds: microseconds - microseconds % Self.hour)
    }

    /// The year and month (1 to 12) in UTC.
    var month: CalendarMonth {
        let days = microseconds.flooredDivision(by: Self.day).quotient
        let date = CivilDate(daysSinceEpoch: days)
        return CalendarMonth(year: Int(date.year), month: Int(date.month))
    }
}

/// A month of the proleptic Gregorian calendar, in UTC.
struct CalendarMonth: Sendable, Hashable, Comparable {
    private var year: Int
    /// 1 to 12.
    private var month: Int

    /// Months since year 0; neighbours differ by 1.
    var index: Int { year * 12 + month - 1 }

    init(year: Int, month: Int) {
        self.year = year
        self.month = month
    }

    init(index: Int) {
        self.init(year: index / 12, month: index % 12 + 1)
    }

    func advanced(by months: Int) -> CalendarMonth { CalendarMonth(index: index + months) }

    static func < (a: CalendarMonth, b: CalendarMonth) -> Bool { a.index < b.index }

    /// `2026-10-01 00:00:00+00`, as PostgreSQL reads it.
    var firstInstant: String { "\(year.padded(to: 4))-\(month.padded(to: 2))-01 00:00:00+00" }

    /// `2026_10`.
    var suffix: String { "\(year.padded(to: 4))_\(month.padded(to: 2))" }
}

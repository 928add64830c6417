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

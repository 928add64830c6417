/// What operators have settled in dead-letter topics, by replaying or dropping it: a bus can't
/// delete single records, so a store remembers them.
///
/// One entry for a log and partition, whatever the number of letters. It belongs to the log, not to
/// a pipeline: whoever settles a letter settles it for all that read the topic.
public protocol DeadLetterMarks: Sendable {
    /// What is settled of a dead-letter topic, by partition.
    func settled(of log: LogName) async throws -> [Int32: SettledLetters]

    /// Adds to that, in one transaction; what others have added meanwhile stays.
    ///
    /// - Parameters:
    ///   - starts: the first offset that each partition still has: what lies before is forgotten.
    ///   - refuted: what was found to be of another log of that name: forgotten, unless somebody
    ///     has replaced it already.
    /// - Returns: how many of the letters had not been settled before.
    @discardableResult
    func settle(
        _ letters: [Int32: SettledLetters], of log: LogName, starts: [Int32: Int64],
        refuted: [Int32: LogWitness]
    ) async throws -> Int
}

/// What is settled of one partition.
public struct SettledLetters: Sendable, Hashable {
    public var offsets: OffsetRanges
    /// The last letter among them: tells the log from another one of its name.
    public var witness: LogWitness
    public init(_ offsets: OffsetRanges, witness: LogWitness) {
        self.offsets = offsets
        self.witness = witness
    }

    /// Both together.
    ///
    /// - Parameter start: the first offset that the partition still has.
    public mutating func add(_ other: SettledLetters, start: Int64) {
        offsets.formUnion(other.offsets)
        offsets.remove(below: start)
        if other.witness.offset > witness.offset { witness = other.witness }
    }

    /// How many of these letters are not among those that are settled.
    public func countNew(to settled: SettledLetters?) -> Int {
        var new = offsets
        if let settled { new.subtract(settled.offsets) }
        return new.count
    }
}

/// A set of offsets, as ranges: compact where neighbours are in it.
public struct OffsetRanges: Sendable, Hashable {
    /// A store keeps no more of a partition.
    public static let most = 100_000

    /// In order, with offsets between them that are not in the set.
    public private(set) var ranges: [Range<Int64>]

    public init() { ranges = [] }

    public init(_ offsets: some Sequence<Int64>) {
        self.init()
        for offset in offsets.sorted() { append(offset..<offset + 1) }
    }

    /// The set whose ranges begin and end at these offsets, as ``bounds`` says; what is no range is
    /// passed over.
    public init(bounds: [Int64]) {
        self.init()
        var pairs: [Range<Int64>] = []
        for index in stride(from: 0, to: bounds.count - 1, by: 2)
        where bounds[index] < bounds[index + 1] {
            pairs.append(bounds[index]..<bounds[index + 1])
        }
        for range in pairs.sorted(by: { $0.lowerBound < $1.lowerBound }) { append(range) }
    }

    /// Where ranges begin and end, in turn.
    public var bounds: [Int64] { ranges.flatMap { [$0.lowerBound, $0.upperBound] } }

    public var isEmpty: Bool { ranges.isEmpty }
    public var count: Int { ranges.reduce(0) { $0 + $1.count } }
    /// The offset behind the last one; 0 without any.
    public var end: Int64 { ranges.last?.upperBound ?? 0 }

    public func contains(_ offset: Int64) -> Bool { range(with: offset) != nil }

    /// The first offset from there on that is not in the set.
    public func firstMissing(from offset: Int64) -> Int64 {
        range(with: offset)?.upperBound ?? offset
    }

    public mutating func formUnion(_ other: OffsetRanges) {
        var merged = OffsetRanges()
        var (left, right) = (ranges[...], other.ranges[...])
        while let first = left.first ?? right.first {
            if let next = right.first, next.lowerBound <= first.lowerBound {
                merged.append(right.removeFirst())
            } else {
                merged.append(left.removeFirst())
            }
        }
        self = merged
    }

    /// Removes what is in the other set, too.
    public mutating func subtract(_ other: OffsetRanges) {
        var left = OffsetRanges()
        var others = other.ranges[...]
        for range in ranges {
            var start = range.lowerBound
            while let next = others.first, next.lowerBound < range.upperBound {
                if start < next.lowerBound { left.append(start..<next.lowerBound) }
                start = max(start, next.upperBound)
                // One that reaches beyond this range may take from the following one, too.
                if next.upperBound > range.upperBound { break }
                others.removeFirst()
            }
            if start < range.upperBound { left.append(start..<range.upperBound) }
        }
        self = left
    }

    public mutating func remove(below start: Int64) {
        ranges = ranges.compactMap { range in
            range.upperBound <= start ? nil : max(range.lowerBound, start)..<range.upperBound
        }
    }

    private func range(with offset: Int64) -> Range<Int64>? {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= offset { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(offset) ? ranges[low] : nil
    }

    /// - Parameter range: begins at or behind the last one's beginning.
    private mutating func append(_ range: Range<Int64>) {
        guard let last = ranges.last, range.lowerBound <= last.upperBound else {
            return ranges.append(range)
        }
        ranges[ranges.endIndex - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
    }
}

internal import Calendar

/// What a reader knows about whether the log that it reads is still the one that its positions
/// belong to. No I/O.
///
/// Each partition has a *proven* witness: a record that its log is known to have held. A record
/// that was read later takes its place only after a look has found the proven one where it was, so
/// that nothing that was read of another log meanwhile can hide the change: at the latest the next
/// look finds it.
public struct LogContinuity: Sendable {
    private struct Partition {
        var proven: LogWitness?
        /// Read since the last look.
        var latest: LogWitness?
        var isKept = true
    }
    private var partitions: [Int32: Partition] = [:]

    public init() {}

    /// Reading begins, or begins again; `witness` has just been seen in the log, and is what the
    /// store has.
    public mutating func start(_ partition: Int32, witness: LogWitness?) {
        partitions[partition] = Partition(proven: witness)
    }

    public mutating func stop(_ partition: Int32) { partitions[partition] = nil }

    /// Notes what was read. The first record stands for the log where nothing else does: nothing
    /// was read before it.
    public mutating func note(first: LogWitness?, last: LogWitness, of partition: Int32) {
        guard var known = partitions[partition] else { return }
        if known.proven == nil {
            known.proven = first ?? last
            known.isKept = false
        }
        known.latest = last
        partitions[partition] = known
    }

    /// Whether records have been read since the last look.
    public var hasNews: Bool { partitions.values.contains { $0.latest != nil } }

    /// What a look has to find in its place.
    public var proven: [Int32: LogWitness] { partitions.compactMapValues(\.proven) }

    /// What had been read when a look began, to be handed to ``looked(_:)`` when it has found the
    /// proven ones.
    public var latest: [Int32: LogWitness] { partitions.compactMapValues(\.latest) }

    /// A look has found every proven witness in its place, or none that contradicts: what had been
    /// read before is of the same log.
    public mutating func looked(_ read: [Int32: LogWitness]) {
        for (partition, witness) in read where partitions[partition] != nil {
            partitions[partition]?.proven = witness
            partitions[partition]?.isKept = false
            if partitions[partition]?.latest == witness { partitions[partition]?.latest = nil }
        }
    }

    /// Witnesses that the store does not have yet.
    public var unkept: [Int32: LogWitness] {
        partitions.filter { !$0.value.isKept }.compactMapValues(\.proven)
    }

    /// The store has these.
    public mutating func kept(_ witnesses: [Int32: LogWitness]) {
        for (partition, witness) in witnesses where partitions[partition]?.proven == witness {
            partitions[partition]?.isKept = true
        }
    }
}

extension LogWitness {
    /// A record as it stands in its log.
    ///
    /// - Parameter timestamp: in the log's own unit; 0 where it keeps none.
    public init(offset: Int64, timestamp: Int64, key: Bytes?, payload: Bytes) {
        self.init(
            offset: offset, timestamp: timestamp, keyDigest: key.map { Digest(of: $0) },
            payloadDigest: Digest(of: payload))
    }

    /// A record as it stands in its log, by the digests of its parts.
    public init(offset: Int64, timestamp: Int64, keyDigest: Digest?, payloadDigest: Digest) {
        var parts: [UInt8] = []
        parts.reserveCapacity(24)
        for word in [
            UInt64(bitPattern: timestamp), keyDigest.map { $0.low } ?? 0, payloadDigest.low,
        ] {
            for shift in stride(from: 0 as UInt64, to: 64, by: 8) {
                parts.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        self.init(offset: offset, digest: Digest(of: parts[...]).low)
    }
}

/// What a look into a partition has found.
public enum LogSighting: Sendable, Hashable {
    /// The first record at or behind the offset.
    case record(LogWitness)
    /// There is none up to the end.
    case end
}

/// Says in which way a log contradicts what is known of it.
public enum LogContradiction: Sendable, Hashable, CustomStringConvertible {
    case beyondEnd(partition: Int32, position: Int64, end: Int64)
    case otherRecord(partition: Int32, wanted: LogWitness, found: LogWitness)
    case fewerPartitions(stored: Int, found: Int)

    public var description: String {
        switch self {
        case .beyondEnd(let partition, let position, let end):
            "partition \(partition) was read up to offset \(position) and ends at \(end)"
        case .otherRecord(let partition, let wanted, let found):
            "at offset \(wanted.offset) of partition \(partition) was a record with the digest "
                + "\(Self.hex(wanted.digest)), now there is one with \(Self.hex(found.digest))"
        case .fewerPartitions(let stored, let found):
            "it had \(stored) partitions and has \(found)"
        }
    }

    private static func hex(_ digest: UInt64) -> String { digest.padded(to: 16, radix: 16) }

    /// What is known against the offsets alone.
    ///
    /// - Parameters:
    ///   - position: where reading goes on.
    ///   - witness: a record that was seen; it may lie on either side of the position.
    public init?(partition: Int32, position: Int64, witness: LogWitness?, range: Range<Int64>) {
        let seen = max(position, witness.map { $0.offset + 1 } ?? 0)
        guard seen > range.upperBound else { return nil }
        self = .beyondEnd(partition: partition, position: seen, end: range.upperBound)
    }

    /// What is known against stored positions by the offsets alone: of the first partition that has
    /// something.
    public init?(_ stored: StoredPositions, ranges: [Int32: Range<Int64>]) {
        let found = ranges.sorted { $0.key < $1.key }.lazy.compactMap { partition, range in
            LogContradiction(
                partition: partition, position: stored.next[partition] ?? 0,
                witness: stored.witnesses[partition], range: range)
        }
        guard let first = found.first else { return nil }
        self = first
    }

    /// What a look says against stored positions: of the first partition that has something.
    public init?(_ stored: StoredPositions, sightings: [Int32: LogSighting]) {
        let found = stored.witnesses.sorted { $0.key < $1.key }.lazy.compactMap {
            LogContradiction(partition: $0, witness: $1, sighting: sightings[$0])
        }
        guard let first = found.first else { return nil }
        self = first
    }

    /// What a look says against a witness. Another offset says nothing: compaction has taken the
    /// record away.
    public init?(partition: Int32, witness: LogWitness, sighting: LogSighting?) {
        guard case .record(let found) = sighting, found.offset == witness.offset,
            found.digest != witness.digest
        else { return nil }
        self = .otherRecord(partition: partition, wanted: witness, found: found)
    }

    /// A topic that has lost partitions is another one: nothing takes them away.
    public init?(stored: Set<Int32>, found: Int) {
        guard let last = stored.max(), Int(last) >= found else { return nil }
        self = .fewerPartitions(stored: Int(last) + 1, found: found)
    }
}

extension PipelineError {
    /// The topic is not the one that was read.
    public static func topicRecreated(
        _ log: LogName, _ contradiction: LogContradiction
    ) -> PipelineError {
        .retryable(
            .topicRecreated,
            "\(log.key) is not the log that was read: \(contradiction); it was made anew, restored, "
                + "or has lost records. Nothing more of it is read: bring the old one back, have this one "
                + "read from its start by \"on_new_topic\": \"from_start\" on the input, or set where it is "
                + "read from (`penstock positions set`); what it holds of the old one comes again then: "
                + "requests are known by their case ids, events count once more"
        )
    }
}

extension StoredPositions {
    /// Where a look can find the witnesses: those that are in the log's ranges.
    public func witnessOffsets(in ranges: [Int32: Range<Int64>]) -> [Int32: Int64] {
        witnesses.filter { ranges[$0.key]?.contains($0.value.offset) == true }
            .mapValues(\.offset)
    }
}

/// The stored positions of a pipeline's inputs: the only truth about where reading goes on.
///
/// They advance in the same transaction as what was read becomes durable (``PositionAdvance``), so
/// that replays, rebalances and reset consumer groups change nothing. A position belongs to a log,
/// not to a name: a log that was made anew under the same name is another one, and reading on in it
/// would skip what stands before the position.
public protocol PositionStore: Sendable {
    /// Reads the positions of a log's partitions; those not stored yet are stored first, as given.
    ///
    /// - Parameter initial: for each wanted partition the offset to start from if none is stored.
    func positions(of log: LogName, initial: [Int32: Int64]) async throws -> StoredPositions

    /// Keeps what will tell the log from another one. Partitions without a stored position are
    /// passed over.
    ///
    /// - Parameter source: as ``StoredPositions/source`` said.
    func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws

    /// Another log has taken the name: replaces all stored positions by `starts`, under another
    /// source, so that whoever still advances the old ones is fenced. Does nothing if `source` has
    /// been replaced already.
    func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws
}

/// Names a log: not only what it is called, but where it lies.
public struct LogName: Sendable, Hashable {
    /// What its positions are kept under: `kafka:<cluster id>/<topic>`, `file:<path>`.
    public var key: String
    /// What earlier versions kept them under; such positions are taken over by the first log that
    /// is asked for.
    public var formerKey: String

    public init(_ key: String, formerly formerKey: String? = nil) {
        self.key = key
        self.formerKey = formerKey ?? key
    }

    /// What ``PositionAdvance/source`` says of the log of that name that was found after so many
    /// others.
    public func source(incarnation: Int) -> String {
        incarnation == 0 ? key : "\(key)#\(incarnation)"
    }
}

/// A record that a log held at some time: tells the log from another one of the same name.
public struct LogWitness: Sendable, Hashable {
    public var offset: Int64
    /// Of the record's timestamp, key and payload; for a file of the bytes before the offset.
    public var digest: UInt64
    public init(offset: Int64, digest: UInt64) {
        self.offset = offset
        self.digest = digest
    }
}

/// What a store knows of a log.
public struct StoredPositions: Sendable, Hashable {
    /// What advances have to name the log by.
    public var source: String
    /// For each wanted partition the offset to read next.
    public var next: [Int32: Int64]
    /// For wanted partitions, as far as they have one.
    public var witnesses: [Int32: LogWitness]
    /// Every partition of the log that has a stored position, wanted or not.
    public var partitions: Set<Int32>

    public init(
        source: String, next: [Int32: Int64] = [:], witnesses: [Int32: LogWitness] = [:],
        partitions: Set<Int32> = []
    ) {
        self.source = source
        self.next = next
        self.witnesses = witnesses
        self.partitions = partitions
    }
}

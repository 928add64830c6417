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

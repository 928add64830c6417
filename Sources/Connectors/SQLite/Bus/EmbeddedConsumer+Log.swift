internal import PipelineCore
internal import Synchronization

/// Whether the topic is still the one that its positions belong to.
///
/// Positions are kept under the file's own id, so that another file is another log by its name.
/// What is left is a file that was brought back as it had been earlier, while its positions lie
/// elsewhere.
extension EmbeddedConsumer {
    /// How often the store is told what to know the log by, while it is being read, and once all of
    /// it has been.
    private static let keepInterval = Duration.seconds(10)
    private static let quietInterval = Duration.seconds(2)

    /// Where partitions are to be read from.
    /// - Throws: ``PipelineError`` `topic-recreated` (retryable).
    func startingPoints(of partitions: [Int]) async throws -> StoredPositions {
        let ends = try await ends(of: partitions)
        let initial = ends.mapValues { subscription.start == .latest ? $0 : 0 }
        let stored = try await positions.positions(of: topic.log, initial: initial)
        guard let contradiction = try await contradiction(to: stored, ends) else { return stored }
        guard subscription.onNewTopic == .fromStart else {
            throw PipelineError.topicRecreated(topic.log, contradiction)
        }
        let starts = topic.partitions.indices.map { (Int32($0), Int64(0)) }
        try await positions.restart(
            topic.log, after: stored.source, at: Dictionary(uniqueKeysWithValues: starts))
        return try await positions.positions(of: topic.log, initial: initial)
    }

    private func ends(of partitions: [Int]) async throws -> [Int32: Int64] {
        try await bus.database.read { [topic] in
            try topic.ends(of: partitions.map(Int32.init), in: $0)
        }
    }

    private func contradiction(
        to stored: StoredPositions, _ ends: [Int32: Int64]
    ) async throws -> LogContradiction? {
        try await bus.database.read { [topic] in
            try topic.contradiction(to: stored, ends: ends, in: $0)
        }
    }

    /// Tells the store now and then by which records to know the log.
    func keepWitnesses(isCaughtUp: Bool) async throws {
        let now = bus.clock.now
        let pause = isCaughtUp ? Self.quietInterval : Self.keepInterval
        let (last, source) = state.withLock { state -> ([Int32: Int64], String) in
            guard now >= state.lastKept.advanced(by: pause) else { return ([:], "") }
            return (state.last, state.source)
        }
        if last.isEmpty { return }
        let sightings = try await look(at: last)
        var witnesses: [Int32: LogWitness] = [:]
        for case (let partition, .record(let witness)) in sightings {
            witnesses[partition] = witness
        }
        try await positions.keep(witnesses, of: source)
        state.withLock { state in
            state.lastKept = now
            state.last = state.last.filter { last[$0.key] != $0.value }
        }
    }

    /// Has the store know the log before its first position moves: a position without a witness,
    /// after a kill, would be taken for one of whatever has the name then.
    func attest(_ fetch: Fetch) async throws {
        let (new, source) = state.withLock { state in
            (fetch.advances.filter { !state.attested.contains($0.partition) }, state.source)
        }
        if new.isEmpty { return }
        do {
            let last = Dictionary(uniqueKeysWithValues: new.map { ($0.partition, $0.next - 1) })
            var witnesses: [Int32: LogWitness] = [:]
            for case (let partition, .record(let witness)) in try await look(at: last) {
                witnesses[partition] = witness
            }
            try await positions.keep(witnesses, of: source)
            state.withLock { $0.attested.formUnion(witnesses.keys) }
        } catch {
            rewind(fetch.advances)
            throw error
        }
    }

    private func look(at offsets: [Int32: Int64]) async throws -> [Int32: LogSighting] {
        if offsets.isEmpty { return [:] }
        return try await bus.database.read { [topic] in try topic.look(at: offsets, in: $0) }
    }
}

extension EmbeddedTopic {
    func ends(
        of wanted: [Int32], in connection: SQLiteConnection
    ) throws -> [Int32: Int64] {
        var ends: [Int32: Int64] = [:]
        for partition in wanted {
            ends[partition] =
                try connection.first(
                    "SELECT next_offset FROM bus_partitions WHERE partition_no = ?1",
                    partitions[Int(partition)]
                ) { $0.int64(0) } ?? 0
        }
        return ends
    }

    /// What of each partition is kept.
    func extent(in connection: SQLiteConnection) throws -> LogExtent {
        let ends = try ends(of: partitions.indices.map(Int32.init), in: connection)
        var ranges: [Int32: Range<Int64>] = [:]
        for (partition, end) in ends {
            let number = partitions[Int(partition)]
            let first = try connection.first(
                """
                SELECT message_no FROM bus_messages
                WHERE message_no >= ?1 AND message_no < ?2 ORDER BY message_no LIMIT 1
                """, BusSchema.message(partition: number, offset: 0),
                BusSchema.message(partition: number + 1, offset: 0)
            ) { BusSchema.offset(message: $0.int64(0)) }
            ranges[partition] = min(first ?? end, end)..<end
        }
        return LogExtent(log: log, ranges: ranges)
    }

    /// What speaks against the positions' being of this topic.
    func contradiction(
        to stored: StoredPositions, ends: [Int32: Int64], in connection: SQLiteConnection
    ) throws -> LogContradiction? {
        if let found = LogContradiction(stored: stored.partitions, found: partitions.count) {
            return found
        }
        let ranges = ends.mapValues { 0..<$0 }
        if let found = LogContradiction(stored, ranges: ranges) { return found }
        let sightings = try look(at: stored.witnessOffsets(in: ranges), in: connection)
        return LogContradiction(stored, sightings: sightings)
    }

    fileprivate func look(
        at offsets: [Int32: Int64], in connection: SQLiteConnection
    ) throws -> [Int32: LogSighting] {
        let select = try connection.statement(
            """
            SELECT message_no, timestamp, key, payload FROM bus_messages
            WHERE message_no >= ?1 AND message_no < ?2 ORDER BY message_no LIMIT 1
            """)
        var found: [Int32: LogSighting] = [:]
        for (partition, offset) in offsets {
            let number = partitions[Int(partition)]
            let witness = try select.first(
                BusSchema.message(partition: number, offset: offset),
                BusSchema.message(partition: number + 1, offset: 0)
            ) { LogWitness($0) }
            found[partition] = witness.map { .record($0) } ?? .end
        }
        return found
    }
}

extension LogWitness {
    /// A row of number, timestamp, key and payload.
    fileprivate init(_ row: borrowing SQLiteRow) {
        let (key, payload) = (row.isNull(2) ? nil : row.blob(2), row.blob(3))
        self.init(
            offset: BusSchema.offset(message: row.int64(0)), timestamp: row.int64(1), key: key,
            payload: payload)
    }
}

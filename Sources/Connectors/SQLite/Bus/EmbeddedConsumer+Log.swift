internal import PipelineCore
internal import Synchronization

/// Whether the topic is still the one that its positions belong to.
///
/// Positions are kept under the file's own id, so that another file is another log by its name. What is left is a file
/// that was brought back as it had been earlier, while its positions lie elsewhere.
extension EmbeddedConsumer {
    /// How often the store is told what to know the log by, while it is being read, and once all of it has been.
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
        try await bus.database.read { [topic] connection in
            var ends: [Int32: Int64] = [:]
            for partition in partitions {
                ends[Int32(partition)] =
                    try connection.first(
                        "SELECT next_offset FROM bus_partitions WHERE partition_no = ?1",
                        topic.partitions[partition]
                    ) { $0.int64(0) } ?? 0
            }
            return ends
        }
    }

    private func contradiction(
        to stored: StoredPositions, _ ends: [Int32: Int64]
    ) async throws -> LogContradiction? {
        let count = topic.partitions.count
        if let found = LogContradiction(stored: stored.partitions, found: count) { return found }
        let sightings = try await look(at: stored.witnesses.mapValues(\.offset))
        for (partition, end) in ends.sorted(by: { $0.key < $1.key }) {
            let witness = stored.witnesses[partition]
            let found = LogContradiction(
                partition: partition, position: stored.next[partition] ?? 0, witness: witness,
                range: 0..<end)
            if let found { return found }
            guard let witness else { continue }
            let other = LogContradiction(
                partition: partition, witness: witness, sighting: sightings[partition])
            if let other { return other }
        }
        return nil
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

    private func look(at offsets: [Int32: Int64]) async throws -> [Int32: LogSighting] {
        if offsets.isEmpty { return [:] }
        return try await bus.database.read { [topic] connection in
            let select = try connection.statement(
                """
                SELECT message_no, timestamp, key, payload FROM bus_messages
                WHERE message_no >= ?1 AND message_no < ?2 ORDER BY message_no LIMIT 1
                """)
            var found: [Int32: LogSighting] = [:]
            for (partition, offset) in offsets {
                let number = topic.partitions[Int(partition)]
                let witness = try select.first(
                    BusSchema.message(partition: number, offset: offset),
                    BusSchema.message(partition: number + 1, offset: 0)
                ) { LogWitness($0) }
                found[partition] = witness.map { .record($0) } ?? .end
            }
            return found
        }
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

internal import PipelineCore
internal import Synchronization

/// Whether the topic is still the one that its positions belong to.
extension KafkaConsumer {
    /// Names the topic in its cluster.
    private func logName() async throws -> LogName {
        if let known = progress.withLock(\.log) { return known }
        let id = try await worker.runAbandonably { [client] in
            try client.clusterID(timeoutMilliseconds: Self.requestTimeoutMilliseconds)
        }
        let log = Self.logName(of: topic, cluster: id)
        progress.withLock { $0.log = log }
        return log
    }

    static func logName(of topic: String, cluster: String) -> LogName {
        LogName("kafka:\(cluster)/\(topic)", formerly: topic)
    }

    /// Looks now and then whether what was read is still there, and before records are taken after
    /// a pause.
    ///
    /// When it is not, every partition goes back to its stored position, where
    /// ``startingPoints(of:)`` decides.
    func checkLog() async throws {
        let isWaiting = queue.count > 0
        let open = progress.withLock {
            progress -> (proven: [Int32: LogWitness], read: [Int32: LogWitness])? in
            guard events.faults.downSince == nil,
                progress.isLookDue(now: clock.now, recordsWait: isWaiting)
            else { return nil }
            return (progress.continuity.proven, progress.continuity.latest)
        }
        guard let open else { return try await keepWitnesses() }
        let contradiction: LogContradiction?
        do {
            contradiction = try await self.contradiction(to: open.proven)
        } catch let error as PipelineError where error.disposition == .retryable {
            // Nothing is known: what was read stays unproven until the next look.
            return progress.withLock { progress in
                progress.looked(now: clock.now)
                if error.code == .topicMissing { progress.doubtLog() }
            }
        }
        progress.withLock { progress in
            progress.looked(now: clock.now)
            if contradiction == nil {
                progress.continuity.looked(open.read)
            } else {
                for partition in open.proven.keys { progress.rewind(partition) }
            }
        }
        try await keepWitnesses()
    }

    /// Has the store know the log before its first position moves: a position without a witness,
    /// after a kill, would be taken for one of whatever has the name then. Costs a statement with
    /// the first records, and after each look.
    func attest(_ fetch: Fetch) async throws {
        do { try await keepWitnesses() } catch {
            rewind(fetch.advances)
            throw error
        }
    }

    /// Stores what the store does not have yet.
    private func keepWitnesses() async throws {
        let (witnesses, source) = progress.withLock { ($0.continuity.unkept, $0.source) }
        if witnesses.isEmpty { return }
        try await positions.keep(witnesses, of: source)
        progress.withLock { $0.continuity.kept(witnesses) }
    }

    private func contradiction(
        to witnesses: [Int32: LogWitness]
    ) async throws -> LogContradiction? {
        let sightings = try await look(at: witnesses.mapValues(\.offset))
        for (partition, witness) in witnesses.sorted(by: { $0.key < $1.key }) {
            if let sighting = sightings[partition], sighting != .end {
                if let found = LogContradiction(
                    partition: partition, witness: witness, sighting: sighting)
                {
                    return found
                }
                continue
            }
            // Nothing there: past the retention, or beyond the end.
            let range = try await ranges(of: [partition])[partition]
            if let range,
                let found = LogContradiction(
                    partition: partition, position: 0, witness: witness, range: range)
            {
                return found
            }
        }
        return nil
    }

    private func look(at offsets: [Int32: Int64]) async throws -> [Int32: LogSighting] {
        if offsets.isEmpty { return [:] }
        return try await worker.runAbandonably { [self] in
            try probe.withLock { probe in
                let open = try probe ?? LogProbe(settings, events.log)
                probe = open
                return try open.look(
                    at: offsets, of: topic, timeoutMilliseconds: Self.requestTimeoutMilliseconds)
            }
        }
    }

    private func ranges(of partitions: [Int32]) async throws -> [Int32: Range<Int64>] {
        try await worker.runAbandonably { [client, topic] in
            try client.watermarks(
                of: topic, partitions, timeoutMilliseconds: Self.requestTimeoutMilliseconds)
        }
    }

    // MARK: - Where to begin

    /// Where partitions are to be read from: the stored position, or what is left of the log after
    /// it.
    ///
    /// - Throws: ``PipelineCore/PipelineError`` `topic-recreated` (retryable).
    func startingPoints(
        of partitions: [Int32]
    ) async throws -> (stored: StoredPositions, readable: [Int32: Int64]) {
        let log = try await logName()
        let ranges = try await ranges(of: partitions)
        var (stored, unkept) = try await stored(log, ranges)
        if let contradiction = try await contradiction(to: stored, ranges) {
            let error = PipelineError.topicRecreated(log, contradiction)
            guard subscription.onNewTopic == .fromStart else { throw error }
            events.note(
                4, "POSITION",
                "\(log.key) is not the log that was read (\(contradiction)): it is read from its start"
            )
            try await restart(log, after: stored.source)
            (stored, unkept) = try await self.stored(log, ranges)
        }
        try await attest(&stored, ranges, unkept)
        var readable: [Int32: Int64] = [:]
        for (partition, range) in ranges {
            guard let position = stored.next[partition] else {
                throw PipelineError.fatal(
                    .positionMissing, "the store has no position for \(topic)[\(partition)]")
            }
            readable[partition] = readableOffset(partition, position, range)
        }
        return (stored, readable)
    }

    /// Answers also what this process knows and the store does not.
    private func stored(
        _ log: LogName, _ ranges: [Int32: Range<Int64>]
    ) async throws -> (StoredPositions, unkept: [Int32: LogWitness]) {
        let initial = ranges.mapValues {
            subscription.start == .earliest ? $0.lowerBound : $0.upperBound
        }
        var stored = try await positions.positions(of: log, initial: initial)
        // What this process knows and could not store, or stores nowhere.
        let known = progress.withLock { $0.source == stored.source ? $0.continuity.proven : [:] }
        let unkept = known.filter {
            ranges[$0.key] != nil && stored.witnesses[$0.key] == nil
        }
        stored.witnesses.merge(unkept) { old, _ in old }
        return (stored, unkept)
    }

    private func contradiction(
        to stored: StoredPositions, _ ranges: [Int32: Range<Int64>]
    ) async throws -> LogContradiction? {
        let count = try await worker.runAbandonably { [client, topic] in
            try client.partitionCount(of: topic, Self.requestTimeoutMilliseconds)
        }
        if let found = LogContradiction(stored: stored.partitions, found: count) { return found }
        if let found = LogContradiction(stored, ranges: ranges) { return found }
        let sightings = try await look(at: stored.witnessOffsets(in: ranges))
        return LogContradiction(stored, sightings: sightings)
    }

    /// Another log has the name: it begins at its first record, in every partition.
    private func restart(_ log: LogName, after source: String) async throws {
        let starts = try await worker.runAbandonably { [client, topic] in
            let limit = Self.requestTimeoutMilliseconds
            let count = try client.partitionCount(of: topic, limit)
            return try client.watermarks(
                of: topic, Array(0..<Int32(count)), timeoutMilliseconds: limit
            ).mapValues(\.lowerBound)
        }
        try await positions.restart(log, after: source, at: starts)
    }

    /// Takes a witness from the log where there is none yet: a position without one could not tell
    /// it from another.
    private func attest(
        _ stored: inout StoredPositions, _ ranges: [Int32: Range<Int64>],
        _ unkept: [Int32: LogWitness]
    ) async throws {
        var offsets: [Int32: Int64] = [:]
        for (partition, range) in ranges
        where stored.witnesses[partition] == nil && !range.isEmpty {
            let position = stored.next[partition] ?? 0
            if position > range.lowerBound { offsets[partition] = position - 1 }
        }
        var new = unkept
        for case (let partition, .record(let witness)) in try await look(at: offsets) {
            new[partition] = witness
        }
        if new.isEmpty { return }
        try await positions.keep(new, of: stored.source)
        stored.witnesses.merge(new) { _, new in new }
    }

    private func readableOffset(
        _ partition: Int32, _ position: Int64, _ range: Range<Int64>
    ) -> Int64 {
        if position < range.lowerBound {
            events.note(
                4, "POSITION",
                "\(topic)[\(partition)]: offsets \(position) to \(range.lowerBound - 1) "
                    + "are past the topic's retention and are skipped")
        }
        return max(position, range.lowerBound)
    }
}

internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// What a consumer owes its group.
extension KafkaConsumer {
    /// Answers changes of the assignment, reading stored positions first. A change stays until it
    /// has been answered.
    func serveGroup() async throws {
        while let change = events.rebalances.first {
            switch change {
            case .assign(let partitions): try await start(partitions)
            case .revoke(let partitions, let isLost): try await stop(partitions, isLost: isLost)
            }
            events.rebalances.removeFirst()
        }
    }

    private func start(_ partitions: [Int32]) async throws {
        let points = try await startingPoints(of: partitions)
        progress.withLock { $0.start(points.stored, now: clock.now) }
        tellLag(of: partitions)
        try await worker.runAbandonably { [client, topic] in
            try client.assign(topic, points.readable)
        }
    }

    private func stop(_ partitions: [Int32], isLost: Bool) async throws {
        buffer.withLock { $0.remove(of: Set(partitions)) }
        let (offsets, witnesses) = progress.withLock { progress in
            defer { progress.stop(partitions) }
            return (
                isLost ? [:] : progress.takeCommits(of: partitions), progress.continuity.proven
            )
        }
        try await worker.runAbandonably { [self] in
            if !offsets.isEmpty { commitAtLast(offsets, witnesses) }
            do throws(PipelineError) { try client.unassign(topic, partitions) } catch {
                events.note(4, "REBALANCE", error.message)
            }
        }
    }

    /// Reads stored positions again, where that was asked for, and goes on from there.
    func serveRewinds() async throws {
        try await pauseFetching()
        let rewinding = progress.withLock { $0.rewindsDue(now: clock.now) }
        if rewinding.isEmpty { return }
        let partitions = rewinding.sorted()
        if isGroupTruth {
            let offsets = progress.withLock { $0.takeCommits(of: partitions) }
            try await commit(offsets)
        }
        let points = try await startingPoints(of: partitions)
        buffer.withLock { $0.remove(of: rewinding) }
        let paused = progress.withLock { $0.fetchPaused.intersection(rewinding).sorted() }
        try await worker.runAbandonably { [client, topic] in
            // First: resuming would go on where it was paused.
            if !paused.isEmpty { client.setFetching(topic, paused, true) }
            try client.seek(
                topic, points.readable, timeoutMilliseconds: Self.requestTimeoutMilliseconds)
        }
        progress.withLock { $0.start(points.stored, now: clock.now) }
    }

    /// Nothing is fetched of partitions that are paused: it would only be thrown away.
    private func pauseFetching() async throws {
        let new = progress.withLock { $0.takeNewPauses() }
        if new.isEmpty { return }
        try await worker.runAbandonably { [client, topic] in client.setFetching(topic, new, false) }
    }

    // MARK: - Connection

    /// Looks for the topic, after librdkafka has not found it: it would look again only with its
    /// next refresh.
    /// - Throws: ``PipelineCore/PipelineError`` `topic-missing` (retryable).
    func findTopic() async throws {
        guard progress.withLock(\.isTopicMissing) else { return }
        let state = try await worker.runAbandonably { [client, topic] in
            try client.lookAgain(for: topic, Self.requestTimeoutMilliseconds)
        }
        if state == .missing {
            throw PipelineError.retryable(
                .topicMissing,
                "Kafka has no topic \(topic); create it, or let the stage create it")
        }
        progress.withLock { progress in
            progress.isTopicMissing = false
            // What has come back may be another one.
            progress.doubtLog()
        }
    }

    /// Says so when no broker has been reached for a while; librdkafka alone would go on trying in
    /// silence.
    func checkConnection() async throws {
        let faults = events.faults
        if let error = faults.fatal ?? faults.refusal { throw error }
        guard let since = faults.downSince,
            clock.now >= since.advanced(by: Self.patience)
        else { return }
        try await worker.runAbandonably { [client] in try client.reach(timeoutMilliseconds: 2000) }
        faults.recovered()
    }
}

/// Offsets committed to the group: a hint for lag tools, or the truth where there is no store.
extension KafkaConsumer {
    /// Commits what has settled, once a second at most.
    func commitIfDue() async throws {
        let offsets = progress.withLock { $0.takeDueCommits(now: clock.now) }
        if offsets.isEmpty { return }
        if !isGroupTruth { return client.commitLater(topic, offsets) }
        do { try await commit(offsets) } catch let error as PipelineError {
            if error.disposition == .fatal { throw error }
            events.note(4, "COMMIT", error.message)
        }
    }

    /// Commits and waits; what failed is committed again later.
    private func commit(_ offsets: [Int32: Int64]) async throws {
        if offsets.isEmpty { return }
        let witnesses = progress.withLock(\.continuity.proven)
        do {
            try await worker.runAbandonably { [client, topic] in
                try client.commit(
                    topic, offsets, witnesses: witnesses,
                    timeoutMilliseconds: Self.requestTimeoutMilliseconds)
            }
        } catch {
            progress.withLock { $0.uncommit(offsets) }
            throw error
        }
    }

    /// The last commit for partitions that are given up. For the worker: waits where the commit is
    /// the truth, and says then what the log is known by: it may be another one already.
    func commitAtLast(_ offsets: [Int32: Int64], _ witnesses: [Int32: LogWitness]) {
        if !isGroupTruth { return client.commitLater(topic, offsets) }
        do throws(PipelineError) {
            try client.commit(
                topic, offsets, witnesses: witnesses,
                timeoutMilliseconds: Self.requestTimeoutMilliseconds)
        } catch { events.note(4, "COMMIT", error.message) }
    }
}

/// Positions that the group itself keeps, for consumers without a store of their own.
struct GroupPositions: PositionStore {
    let client: KafkaClient
    let topic: String
    let worker: WorkerThread

    func positions(of log: LogName, initial: [Int32: Int64]) async throws -> StoredPositions {
        try await worker.runAbandonably { [client, topic] in
            let timeout = KafkaConsumer.requestTimeoutMilliseconds
            let stored = try client.committed(
                of: topic, Array(initial.keys), timeoutMilliseconds: timeout)
            let new = initial.filter { stored.offsets[$0.key] == nil }
            if !new.isEmpty {
                // A start at the latest record would move on with every restart if it were not
                // kept. Failing is no harm: the offset is committed again with the first
                // settlement.
                try? client.commit(topic, new, timeoutMilliseconds: timeout)
            }
            return StoredPositions(
                source: log.key, next: stored.offsets.merging(new) { old, _ in old },
                witnesses: stored.witnesses, partitions: Set(initial.keys))
        }
    }

    /// They go along with the next offsets that are committed, as their metadata.
    func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {}

    func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws {
        try await worker.runAbandonably { [client, topic] in
            try client.commit(
                topic, starts, timeoutMilliseconds: KafkaConsumer.requestTimeoutMilliseconds)
        }
    }
}

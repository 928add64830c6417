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
        try await pauseResting()
        let rewinding = progress.withLock { $0.rewindsDue(now: clock.now) }
        if rewinding.isEmpty { return }
        let partitions = rewinding.sorted()
        if isGroupTruth {
            let offsets = progress.withLock { $0.takeCommits(of: partitions) }
            try await commit(offsets)
        }
        let points = try await startingPoints(of: partitions)
        buffer.withLock { $0.remove(of: rewinding) }
        let paused = progress.withLock { $0.paused.intersection(rewinding).sorted() }
        try await worker.runAbandonably { [client, topic] in
            // First: resuming would go on where it was paused.
            if !paused.isEmpty { client.setFetching(topic, paused, true) }
            try client.seek(
                topic, points.readable, timeoutMilliseconds: Self.requestTimeoutMilliseconds)
        }
        progress.withLock { $0.start(points.stored, now: clock.now) }
    }

    /// Nothing is fetched of partitions that rest: it would only be thrown away.
    private func pauseResting() async throws {
        let new = progress.withLock { $0.takeNewRests() }
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
                "topic-missing",
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

internal import PipelineCore
internal import Synchronization

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
    func commit(_ offsets: [Int32: Int64]) async throws {
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

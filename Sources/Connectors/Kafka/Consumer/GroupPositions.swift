internal import PipelineCore

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

internal import PipelineCore

/// Positions that the group itself keeps, for consumers without a store of their own.
struct GroupPositions: PositionStore {
    let client: KafkaClient
    let worker: WorkerThread

    func positions(
        of source: String, initial: [Int32: Int64]
    ) async throws -> [Int32: Int64] {
        try await worker.run { [client] in
            let timeout = KafkaConsumer.requestTimeoutMilliseconds
            let stored = try client.committed(
                of: source, Array(initial.keys), timeoutMilliseconds: timeout)
            let new = initial.filter { stored[$0.key] == nil }
            if !new.isEmpty {
                // A start at the latest record would move on with every restart if it were not
                // kept. Failing is no harm: the offset is committed again with the first
                // settlement.
                try? client.commit(source, new, timeoutMilliseconds: timeout)
            }
            return stored.merging(new) { old, _ in old }
        }
    }
}

internal import PipelineCore
internal import Synchronization

/// Sends to one topic, which is created if need be: at the first send, and again when it has gone.
final class TopicProducer: Sendable {
    private struct State {
        var producer: (any BusProducer)?
        var isThere = false
    }
    let topic: String
    private let bus: any Bus
    private let partitions: Int?
    private let state = Mutex(State())

    init(bus: any Bus, topic: String, partitions: Int?) {
        self.bus = bus
        self.topic = topic
        self.partitions = partitions
    }

    /// - Returns: what the bus refuses for good, by index.
    func send(_ records: [OutgoingRecord]) async throws -> [Int: PipelineError] {
        let producer = try await opened()
        do {
            return try await producer.send(records, to: topic)
        } catch let error as PipelineError where error.code == "topic-missing" {
            state.withLock { $0.isThere = false }
            throw error
        }
    }

    private func opened() async throws -> any BusProducer {
        let (open, isThere) = state.withLock { ($0.producer, $0.isThere) }
        if let open, isThere { return open }
        try await bus.ensureTopic(topic, partitions: partitions)
        let new = if let open { open } else { try await bus.producer() }
        return state.withLock { state in
            state.isThere = true
            state.producer = state.producer ?? new
            return state.producer ?? new
        }
    }

    func close() async { await state.withLock { $0.producer }?.close() }
}

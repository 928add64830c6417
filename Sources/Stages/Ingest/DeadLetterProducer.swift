internal import PipelineCore
internal import Synchronization

/// Writes refused records to a topic beside the one that they came from.
final class DeadLetterProducer: Sendable {
    private let bus: any Bus
    private let topic: String
    private let partitions: Int?
    private let producer = Mutex<(any BusProducer)?>(nil)

    init(bus: any Bus, topic: String, partitions: Int?) {
        self.bus = bus
        self.topic = topic
        self.partitions = partitions
    }

    /// Returns once the bus has them.
    func keep(_ rejections: [Rejection]) async throws {
        let producer = try await opened()
        let refused = try await producer.send(rejections.map(DeadLetter.record), to: topic)
        if let (_, error) = refused.min(by: { $0.key < $1.key }) {
            throw PipelineError.fatal(
                "dead-letter-refused",
                "the bus does not take a dead letter for \(topic): \(error.message); raise the topic's size limit",
                cause: error)
        }
    }

    private func opened() async throws -> any BusProducer {
        if let open = producer.withLock({ $0 }) { return open }
        try await bus.ensureTopic(topic, partitions: partitions)
        let new = try await bus.producer()
        return producer.withLock { held in
            held = held ?? new
            return held ?? new
        }
    }

    func close() async { await producer.withLock { $0 }?.close() }
}

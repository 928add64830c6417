internal import Kafka
internal import PipelineCore

/// Fills a topic with requests.
struct Preload {
    static let chunk = 8192

    let bus: KafkaBus
    let topic: String
    let records: Int

    func run() async throws {
        try await createTopic()
        let producer = try await bus.producer()
        for start in stride(from: 0, to: records, by: Self.chunk) {
            let range = start..<min(start + Self.chunk, records)
            let requests = range.map { OutgoingRecord(key: nil, payload: SampleRequests.json($0)) }
            let refused = try await producer.send(requests, to: topic)
            if let error = refused.values.first { throw error }
        }
        await producer.close()
    }

    /// A broker that has just started may refuse for a while.
    private func createTopic() async throws {
        for _ in 0..<30 {
            do { return try await bus.ensureTopic(topic, partitions: 3) } catch let error
                as PipelineError where error.disposition == .retryable
            {
                try await ContinuousClock().sleep(for: .seconds(1))
            }
        }
        try await bus.ensureTopic(topic, partitions: 3)
    }
}

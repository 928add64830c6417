internal import PipelineCore

extension BusConformance {
    static let topicChecks = [
        Check("a topic gets the partitions asked for, once") { suite in
            try await suite.withTopic(partitions: 3) { bus, topic in
                try await bus.ensureTopic(topic, partitions: 3)
                try await bus.ensureTopic(topic, partitions: 5)
                let store = InMemoryPositions()
                let consumer = try await bus.consumer(
                    Subscription(topic: topic, group: "\(topic)-group"), positions: store)
                try await suite.untilAssigned(consumer, topic, store, partitions: 1)
                await consumer.close()
                try requireEqual(
                    store.stored(topic), [0: 0, 1: 0, 2: 0], "the positions of a new topic")
            }
        },
        Check("a topic without a wanted count gets the bus's own") { suite in
            try await suite.withTopic { bus, topic in
                try await bus.ensureTopic("\(topic)-default", partitions: nil)
                try await suite.send(suite.numbered(0..<3), to: "\(topic)-default", bus)
            }
        },
        Check("a probe of a bus that is there succeeds") { suite in
            let bus = try await suite.makeBus()
            try await within(suite.limit, "the probe") { try await bus.probe() }
            await bus.close()
        },
    ]

    /// Waits for records that don't come until the store knows that many partitions, then gives up
    /// waiting.
    func untilAssigned(
        _ consumer: any BusConsumer, _ topic: String, _ store: InMemoryPositions, partitions: Int
    ) async throws {
        try await within(limit, "the group's assignment") {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    do {
                        let fetch = try await nextInTheEnd(consumer)
                        throw ConformanceFailure("records where none were sent: \(fetch.advances)")
                    } catch is CancellationError {}
                }
                group.addTask {
                    try await store.wait(for: topic) { $0.count >= partitions }
                }
                try await group.next()
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }
}

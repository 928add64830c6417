internal import PipelineCore

extension BusConformance {
    static let producingChecks = [
        Check("a send returns once the bus has every record") { suite in
            try await suite.withTopic { bus, topic in
                let producer = try await bus.producer()
                var numbers = 0
                for size in [1, 0, 100, 3] {
                    let records = suite.numbered(numbers..<numbers + size)
                    let refused = try await within(suite.limit, "sending") {
                        try await producer.send(records, to: topic)
                    }
                    try require(refused.isEmpty, "the bus refused \(refused)")
                    numbers += size
                }
                await producer.close()
                let reading = try await suite.readAll(
                    numbers, bus, Subscription(topic: topic, group: topic))
                try requireEqual(reading.numbers, Array(0..<numbers), "the records")
            }
        },
        Check("a record that is too large is refused alone") { suite in
            try await suite.withTopic { bus, topic in
                var records = suite.numbered(0..<5)
                records[2].payload = .init(repeating: 7, count: suite.tooLarge)
                let sent = records
                let producer = try await bus.producer()
                let refused = try await within(suite.limit, "sending") {
                    try await producer.send(sent, to: topic)
                }
                await producer.close()
                try requireEqual(Array(refused.keys), [2], "the refused records")
                try requireEqual(
                    refused[2]!.disposition, .permanent, "the refusal's disposition")
                let reading = try await suite.readAll(
                    4, bus, Subscription(topic: topic, group: topic))
                try requireEqual(reading.numbers, [0, 1, 3, 4], "the others")
            }
        },
        Check("sends made at the same time are answered each on its own") { suite in
            try await suite.withTopic { bus, topic in
                let producer = try await bus.producer()
                try await within(suite.limit, "ten sends at once") {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for number in 0..<10 {
                            let range = number * 100..<(number + 1) * 100
                            let records = suite.numbered(range) { "\($0)" }
                            group.addTask {
                                let refused = try await producer.send(records, to: topic)
                                try require(refused.isEmpty, "the bus refused \(refused)")
                            }
                        }
                        try await group.waitForAll()
                    }
                }
                await producer.close()
                let reading = try await suite.readAll(
                    1000, bus, Subscription(topic: topic, group: topic))
                try requireEqual(reading.numbers.sorted(), Array(0..<1000), "the records")
            }
        },
    ]
}

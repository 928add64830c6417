internal import PipelineCore

extension BusConformance {
    static let positionChecks = [
        Check("reading starts from the stored position whatever the group has committed") {
            suite in
            try await suite.withTopic { bus, topic in
                let subscription = Subscription(topic: topic, group: topic)
                try await suite.send(suite.numbered(0..<10), to: topic, bus)
                // The group reads to the end and commits that.
                let committing = try await bus.consumer(subscription, positions: nil)
                var all = BusReading(subscription)
                try await suite.read(10, committing, into: &all)
                committing.settled(all.advances)
                await committing.close()

                let store = FakePositions()
                store.set(topic, 0, to: 4)
                let consumer = try await bus.consumer(subscription, positions: store)
                var reading = BusReading(subscription)
                try await suite.read(6, consumer, into: &reading, settling: store)
                await consumer.close()
                try requireEqual(reading.numbers, Array(4..<10), "the records from position 4")
                try requireEqual(reading.advances[0].expected, 4, "the first advance")
                try requireEqual(store.stored(topic), [0: 10], "the position at the end")
            }
        },
        Check("a new partition starts at the earliest record and says so to the store") {
            suite in
            try await suite.withTopic { bus, topic in
                try await suite.send(suite.numbered(0..<5), to: topic, bus)
                let store = FakePositions()
                let subscription = Subscription(topic: topic, group: topic, start: .earliest)
                let consumer = try await bus.consumer(subscription, positions: store)
                var reading = BusReading(subscription)
                try await suite.read(5, consumer, into: &reading)
                await consumer.close()
                try requireEqual(reading.numbers, Array(0..<5), "the records")
                try requireEqual(store.stored(topic), [0: 0], "the stored position")
            }
        },
        Check("a new partition starts after the latest record and says so to the store") {
            suite in
            try await suite.withTopic { bus, topic in
                try await suite.send(suite.numbered(0..<5), to: topic, bus)
                let store = FakePositions()
                let subscription = Subscription(topic: topic, group: topic, start: .latest)
                let consumer = try await bus.consumer(subscription, positions: store)
                try await suite.untilAssigned(consumer, topic, store, partitions: 1)
                try requireEqual(store.stored(topic), [0: 5], "the stored position")
                try await suite.send(suite.numbered(5..<8), to: topic, bus)
                var reading = BusReading(subscription)
                try await suite.read(3, consumer, into: &reading)
                await consumer.close()
                try requireEqual(reading.numbers, [5, 6, 7], "the records")
            }
        },
        Check("what settled is not read again after a restart, what did not is") { suite in
            try await suite.withTopic { bus, topic in
                let store = FakePositions()
                try await suite.checkRestart(bus, topic, store)
                try requireEqual(store.stored(topic), [0: 20], "the position at the end")
            }
        },
        Check("without a store the bus keeps what settled") { suite in
            try await suite.withTopic { bus, topic in
                try await suite.checkRestart(bus, topic, nil)
            }
        },
        Check("without a store, settling out of order never skips what is open") { suite in
            try await suite.withTopic { bus, topic in
                try await suite.send(suite.numbered(0..<20), to: topic, bus)
                let subscription = Subscription(topic: topic, group: topic, maxRecords: 5)
                let first = try await bus.consumer(subscription, positions: nil)
                var reading = BusReading(subscription)
                try await suite.read(20, first, into: &reading)
                // Everything but the second fetch.
                for (index, fetch) in reading.fetches.enumerated() where index != 1 {
                    first.settled(fetch.advances)
                }
                await first.close()

                let second = try await bus.consumer(subscription, positions: nil)
                var again = BusReading(subscription)
                let open = reading.fetches[1].records[0].number
                try await suite.read(20 - open, second, into: &again)
                await second.close()
                try requireEqual(again.numbers, Array(open..<20), "the records from the open fetch")
            }
        },
        Check("a rewind delivers again from the stored position") { suite in
            try await suite.withTopic { bus, topic in
                try await suite.checkRewind(bus, topic, FakePositions())
            }
        },
        Check("positions that are set while nothing comes are read from, once all is rewound") {
            suite in
            try await suite.withTopic { bus, topic in
                try await suite.checkSetPositions(bus, topic, FakePositions())
            }
        },
        Check("the store knows the log before a record is handed out; while it can't, none is") {
            suite in
            try await suite.withTopic { bus, topic in
                try await suite.send(suite.numbered(0..<3), to: topic, bus)
                let refusal = Failures([.retryable("store-unavailable", "away")])
                let store = FailingPositions(keeping: refusal)
                let consumer = try await bus.consumer(
                    Subscription(topic: topic, group: topic), positions: store)
                var fetch: Fetch?
                while fetch == nil {
                    do {
                        fetch = try await within(suite.limit, "reading the first records") {
                            try await consumer.next()
                        }
                    } catch let error as PipelineError where error.disposition == .retryable {}
                }
                await consumer.close()
                try requireEqual(refusal.isOver, true, "the store was asked in vain")
                try requireEqual(fetch?.records.first?.number, 0, "the first record")
                try requireEqual(
                    store.stored.witnesses(of: topic).keys.sorted(), [0],
                    "the partitions by whose records the log is known")
            }
        },
        Check("without a store, a rewind delivers again what did not settle") { suite in
            try await suite.withTopic { bus, topic in
                try await suite.checkRewind(bus, topic, nil)
            }
        },
    ]

    private func checkRestart(
        _ bus: any Bus, _ topic: String, _ store: FakePositions?
    ) async throws {
        try await send(numbered(0..<20), to: topic, bus)
        let subscription = Subscription(topic: topic, group: topic, maxRecords: 5)
        let first = try await bus.consumer(subscription, positions: store)
        var reading = BusReading(subscription)
        try await read(11, first, into: &reading)
        let settled = reading.fetches.dropLast().flatMap(\.advances)
        try store?.advance(settled)
        first.settled(settled)
        await first.close()

        let open = reading.fetches.last!.records[0].number
        let second = try await bus.consumer(subscription, positions: store)
        var again = BusReading(subscription)
        while again.records.count < 20 - open {
            try await read(again.records.count + 1, second, into: &again)
            try store?.advance(again.fetches.last!.advances)
            second.settled(again.fetches.last!.advances)
        }
        await second.close()
        try requireEqual(again.numbers, Array(open..<20), "the records after the restart")
    }

    private func checkSetPositions(
        _ bus: any Bus, _ topic: String, _ store: FakePositions
    ) async throws {
        try await send(numbered(0..<20), to: topic, bus)
        let subscription = Subscription(topic: topic, group: topic)
        let consumer = try await bus.consumer(subscription, positions: store)
        var reading = BusReading(subscription)
        try await read(20, consumer, into: &reading)
        try store.advance(reading.advances)
        consumer.settled(reading.advances)
        let first = reading.advances[0]
        try await store.restart(
            LogName(first.source), after: first.source, at: [0: first.expected + 12])
        consumer.rewindAll()
        reading.forget([0])
        try await read(28, consumer, into: &reading)
        await consumer.close()
        try requireEqual(
            reading.records[20...].map(\.number), Array(12..<20), "the records read again")
    }

    private func checkRewind(
        _ bus: any Bus, _ topic: String, _ store: FakePositions?
    ) async throws {
        try await send(numbered(0..<30), to: topic, bus)
        let subscription = Subscription(topic: topic, group: topic, maxRecords: 5)
        let consumer = try await bus.consumer(subscription, positions: store)
        var reading = BusReading(subscription)
        try await read(1, consumer, into: &reading)
        let settled = reading.advances
        try store?.advance(settled)
        consumer.settled(settled)
        try await read(reading.records.count + 1, consumer, into: &reading)
        let failed = reading.fetches.last!
        consumer.rewind(failed.advances)

        reading.forget([0])
        let have = reading.records.count
        let fetches = reading.fetches.count
        let open = failed.records[0].number
        try await read(have + 30 - open, consumer, into: &reading)
        await consumer.close()
        let again = Array(reading.records[have...])
        try requireEqual(again.map(\.number), Array(open..<30), "the records after the rewind")
        try requireEqual(
            reading.fetches[fetches].advances[0].expected, failed.advances[0].expected,
            "the first advance after the rewind")
    }
}

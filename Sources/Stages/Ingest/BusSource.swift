internal import Logging
internal import PipelineCore
internal import Synchronization

/// Reads a topic as a member of a consumer group.
final class BusSource: Source {
    private let bus: any Bus
    private let subscription: Subscription
    private let create: Int?
    private let intake: Intake
    private let consumer = Mutex<(any BusConsumer)?>(nil)
    private let deadLetters: DeadLetterProducer
    private let lastComplaint = Mutex<Instant?>(nil)
    private static let complaintInterval = Duration.minutes(10)
    private static let standStillPause = Duration.seconds(20)

    init(bus: any Bus, subscription: Subscription, create: Int?, intake: Intake) {
        self.bus = bus
        self.subscription = subscription
        self.create = create
        self.intake = intake
        deadLetters = DeadLetterProducer(
            bus: bus, topic: DeadLetter.topic(of: subscription.topic), partitions: create)
    }

    func run(into outlet: Outlet) async throws {
        let consumer = try await joined()
        while true {
            let fetch: Fetch
            do {
                fetch = try await consumer.next()
            } catch is CancellationError {
                return
            } catch let error as PipelineError where error.code == PipelineError.topicRecreatedCode
            {
                do { try await standStill(error) } catch is CancellationError { return }
                throw error
            }
            let delivery = Delivery(
                BusDelivery(
                    consumer: consumer, advances: fetch.advances, deadLetters: deadLetters))
            do {
                try await intake.send(
                    fetch.records, advances: fetch.advances, delivery: delivery, into: outlet)
            } catch {
                // Not handed over: read again after whatever comes next.
                let reason = PipelineError.retryable("not-handed-over", "\(error)")
                delivery.settle(.failed(reason))
                if error is CancellationError { return }
                throw error
            }
        }
    }

    /// Somebody has to decide what becomes of the topic: says so now and then, and waits before it looks again.
    private func standStill(_ error: PipelineError) async throws {
        let clock = intake.context.clock
        let isNews = lastComplaint.withLock { last in
            if let last, last.duration(to: clock.now) < Self.complaintInterval { return false }
            last = clock.now
            return true
        }
        if isNews {
            intake.context.logger.error(
                "the topic is not read any more",
                metadata: ["topic": "\(subscription.topic)", "error": "\(error)"])
        }
        try await clock.sleep(for: Self.standStillPause)
    }

    private func joined() async throws -> any BusConsumer {
        if let joined = consumer.withLock({ $0 }) { return joined }
        if let create { try await bus.ensureTopic(subscription.topic, partitions: create) }
        let new = try await bus.consumer(subscription, positions: intake.context.positions)
        consumer.withLock { $0 = new }
        return new
    }

    func close() async {
        await consumer.withLock { $0 }?.close()
        await deadLetters.close()
    }
}

/// Tells the consumer what has settled, and keeps what is refused.
private struct BusDelivery: DeliveryHandler {
    let consumer: any BusConsumer
    let advances: [PositionAdvance]
    let deadLetters: DeadLetterProducer

    func reject(_ rejections: [Rejection]) async throws {
        try await deadLetters.keep(rejections)
    }

    func settled(_ settlement: Settlement) {
        switch settlement {
        case .acknowledged: consumer.settled(advances)
        case .failed: consumer.rewind(advances)
        }
    }
}

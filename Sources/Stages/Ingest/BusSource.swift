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
    private let deadLetters: DeadLetterKeeper
    private let pauses: PartitionPauses
    private let lastComplaint = Mutex<Instant?>(nil)
    private static let complaintInterval = Duration.minutes(10)

    /// - Parameters:
    ///   - resource: the bus's name in the pipeline's file.
    ///   - file: takes dead letters that their topic does not take, in a chain without a store.
    init(
        bus: any Bus, resource: String, subscription: Subscription, create: Int?, intake: Intake,
        file: (any DeadLetterPlace)? = nil
    ) {
        self.bus = bus
        self.subscription = subscription
        self.create = create
        self.intake = intake
        deadLetters = DeadLetterKeeper(
            TopicProducer(
                bus: bus, topic: DeadLetter.topic(of: subscription.topic), partitions: create),
            input: subscription.topic, resource: resource, file: file, context: intake.context)
        pauses = PartitionPauses(input: subscription.topic, context: intake.context)
    }

    func run(into outlet: Outlet) async throws {
        let consumer = try await joined()
        while true {
            let fetch: Fetch
            do {
                fetch = try await consumer.next()
            } catch is CancellationError {
                return
            } catch let error as PipelineError where error.code == .topicRecreated {
                complain(of: error)
                throw error
            }
            let acknowledgement = intake.acknowledgement(
                BusAcknowledgement(
                    consumer: consumer, advances: fetch.advances, deadLetters: deadLetters,
                    pauses: pauses))
            do {
                try await intake.send(
                    fetch.records, advances: fetch.advances, acknowledgement: acknowledgement,
                    into: outlet)
            } catch let error as PipelineError where error.disposition == .fenced {
                // Its partition is paused; the others are read on.
                acknowledgement.settle(.failed(error))
            } catch {
                // Not handed over: read again after whatever comes next.
                let reason = PipelineError.retryable(.notHandedOver, "\(error)")
                acknowledgement.settle(.failed(reason))
                if error is CancellationError { return }
                throw error
            }
        }
    }

    /// Somebody has to decide what becomes of the topic: says so now and then.
    private func complain(of error: PipelineError) {
        let clock = intake.context.clock
        let isNews = lastComplaint.withLock { last in
            if let last, last.duration(to: clock.now) < Self.complaintInterval { return false }
            last = clock.now
            return true
        }
        guard isNews else { return }
        intake.context.logger.error(
            "the topic is not read any more",
            metadata: ["topic": "\(subscription.topic)", "error": "\(error)"])
    }

    private func joined() async throws -> any BusConsumer {
        if let joined = consumer.withLock({ $0 }) { return joined }
        if let create { try await bus.ensureTopic(subscription.topic, partitions: create) }
        let new = try await bus.consumer(subscription, positions: intake.context.positions)
        consumer.withLock { $0 = new }
        return new
    }

    func positionsMayHaveMoved() { consumer.withLock { $0 }?.rewindAll() }

    func close() async {
        let consumer = consumer.withLock { $0 }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await consumer?.close() }
            group.addTask { [deadLetters] in await deadLetters.close() }
        }
    }
}

/// Tells the consumer what has settled, and keeps what is refused.
private final class BusAcknowledgement: AcknowledgementHandler {
    private let consumer: any BusConsumer
    private let advances: [PositionAdvance]
    private let deadLetters: DeadLetterKeeper
    private let pauses: PartitionPauses
    /// Partitions that are to be paused, and for how long.
    private let paused = Mutex<[Int32: Duration]>([:])

    init(
        consumer: any BusConsumer, advances: [PositionAdvance], deadLetters: DeadLetterKeeper,
        pauses: PartitionPauses
    ) {
        self.consumer = consumer
        self.advances = advances
        self.deadLetters = deadLetters
        self.pauses = pauses
    }

    func reject(_ rejections: [Rejection]) async throws {
        let partitions = Set(rejections.map(\.record.origin.partition))
        do {
            try await deadLetters.keep(rejections)
            pauses.end(of: partitions)
        } catch let error as PipelineError where error.disposition == .fenced {
            let durations = pauses.begin(of: partitions, because: error)
            paused.withLock { $0.merge(durations) { $1 } }
            throw error
        }
    }

    func settled(_ settlement: Settlement) {
        switch settlement {
        case .acknowledged: consumer.settled(advances)
        case .failed:
            let paused = paused.withLock { $0 }
            if paused.isEmpty { return consumer.rewind(advances) }
            for advance in advances {
                if let pause = paused[advance.partition] {
                    consumer.rewind([advance], after: pause)
                } else {
                    consumer.rewind([advance])
                }
            }
        }
    }
}

/// The partitions of an input that are paused because nothing takes their dead letters: longer
/// each time in a row.
private final class PartitionPauses: Sendable {
    private static let first = Duration.seconds(1)
    private static let longest = Duration.seconds(60)

    private let input: String
    private let context: StageContext
    /// How often in a row each of them has been paused.
    private let counts = Mutex<[Int32: Int]>([:])

    init(input: String, context: StageContext) {
        self.input = input
        self.context = context
    }

    /// Answers for how long each is to be paused. Said once for each partition.
    func begin(of partitions: Set<Int32>, because error: PipelineError) -> [Int32: Duration] {
        let (pauses, new, all) = counts.withLock { counts in
            let new = partitions.filter { counts[$0] == nil }.sorted()
            var pauses: [Int32: Duration] = [:]
            for partition in partitions {
                let count = counts[partition, default: 0]
                counts[partition] = count + 1
                let pause = min(Self.first * (1 << min(count, 10)), Self.longest)
                pauses[partition] = pause * (0.75 + 0.25 * context.random.unit())
            }
            return (pauses, new, counts.keys.sorted())
        }
        if !new.isEmpty {
            context.logger.error(
                "partitions rest: nothing takes their dead letters; the others go on",
                metadata: [
                    "topic": "\(input)",
                    "partitions": "\(new.map { "\($0)" }.joined(separator: ","))",
                    "error": "\(error)",
                ])
            context.refusals.paused(all, of: input, because: error)
        }
        return pauses
    }

    func end(of partitions: Set<Int32>) {
        let left: [Int32]? = counts.withLock { counts in
            if counts.isEmpty { return nil }
            let ended = partitions.filter { counts.removeValue(forKey: $0) != nil }
            return ended.isEmpty ? nil : counts.keys.sorted()
        }
        guard let left else { return }
        context.logger.notice(
            "dead letters are taken again: partitions go on", metadata: ["topic": "\(input)"])
        context.refusals.paused(left, of: input, because: nil)
    }
}

internal import Concurrency
internal import CRdKafka
internal import PipelineCore
internal import Synchronization

/// A member of a consumer group.
///
/// `next` does everything in turn: it answers the group, reads stored positions, commits, and takes
/// records. It waits without a thread, on a signal that librdkafka sends when its queue fills.
final class KafkaConsumer: BusConsumer {
    static let requestTimeoutMilliseconds: Int32 = 10_000
    /// How long leaving the group may take. Closing waits for a part of it only: a broker that does
    /// not answer keeps no process, and where it goes on, the rest is done beside it.
    private static let leaveLimit = Duration.seconds(10)
    private static let closeLimit = Duration.milliseconds(1_200)
    static let commitInterval = Duration.seconds(1)
    /// How often to look whether the topic is still the one that was read, while it is being read.
    static let lookInterval = Duration.seconds(10)
    /// The same, once everything has been read.
    static let quietInterval = Duration.seconds(2)
    /// How long all brokers may be gone before `next` says so.
    static let patience = Duration.seconds(5)

    let subscription: Subscription
    let settings: KafkaSettings
    let client: KafkaClient
    let clock: PipelineClock
    let worker = WorkerThread()
    let positions: any PositionStore
    /// Without a store of its own, what the group has committed is the truth.
    let isGroupTruth: Bool
    let progress: Mutex<ConsumerProgress>
    let buffer: Mutex<MessageBuffer>
    let reminder: Mutex<FetchReminder>
    /// Made when something is first to be looked at.
    let probe = Mutex<LogProbe?>(nil)
    let queue: ConsumerQueue
    private let signal = Signal()
    private let heartbeat: Duration

    var topic: String { subscription.topic }
    var events: ClientEvents { client.events }

    /// Joins the group. Blocks for as long as it takes to start librdkafka's threads.
    init(
        _ settings: KafkaSettings, _ subscription: Subscription,
        positions: (any PositionStore)?, clock: PipelineClock, log: KafkaLog?
    ) throws(PipelineError) {
        precondition(subscription.maxRecords > 0, "a fetch has room for one record")
        self.subscription = subscription
        self.settings = settings
        self.clock = clock
        client = try KafkaClient(
            RD_KAFKA_CONSUMER, settings.configuration(for: .consumer(group: subscription.group)),
            ClientEvents(log: log, clock: clock, history: settings.history))
        isGroupTruth = positions == nil
        self.positions =
            positions
            ?? GroupPositions(client: client, topic: subscription.topic, worker: worker)
        buffer = Mutex(MessageBuffer(of: client, capacity: subscription.maxRecords))
        reminder = Mutex(FetchReminder(settings, now: clock.now))
        queue = ConsumerQueue(client, signal)
        heartbeat = min(.seconds(10), settings.maxPollInterval / 3)
        progress = Mutex(ConsumerProgress(now: clock.now))
        try client.subscribe(to: subscription.topic)
    }

    func next() async throws -> Fetch {
        while true {
            try Task.checkCancellation()
            if progress.withLock(\.isClosed) {
                throw PipelineError.fatal(.consumerClosed, "the consumer of \(topic) is closed")
            }
            try await findTopic()
            try await serveGroup()
            try await serveRewinds()
            try await checkLog()
            try await commitIfDue()
            switch try take() {
            case .fetch(let fetch):
                try await attest(fetch)
                return fetch
            case .again: continue
            case .nothing:
                try await checkConnection()
                try await signal.wait(until: nextLook, clock: clock)
            }
        }
    }

    func settled(_ advances: [PositionAdvance]) {
        let isNews = progress.withLock { progress in
            let before = progress.hasUncommitted
            for advance in advances { progress.settle(advance) }
            return !before && progress.hasUncommitted
        }
        // Whoever waits for records now waits for the time to commit as well.
        if isNews { signal.send() }
    }

    func rewind(_ advances: [PositionAdvance]) {
        progress.withLock { progress in
            for advance in advances { progress.rewind(advance.partition) }
        }
        signal.send()
    }

    func rewind(_ advances: [PositionAdvance], after pause: Duration) {
        let end = clock.now.advanced(by: pause)
        progress.withLock { progress in
            for advance in advances { progress.rewind(advance.partition, notBefore: end) }
        }
        signal.send()
    }

    func close() async {
        guard progress.withLock({ $0.close() }) else { return }
        signal.send()
        let (offsets, witnesses) = progress.withLock { ($0.takeCommits(), $0.continuity.proven) }
        let hasLeft = AsyncEvent()
        do {
            try worker.enqueue { [self] in
                if !offsets.isEmpty { commitAtLast(offsets, witnesses) }
                leave()
                hasLeft.set()
            }
        } catch {
            return events.note(
                4, "CLOSE", "the group was not left, and expels this member: \(error)")
        }
        await withoutCancellation { [clock] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await hasLeft.wait() }
                group.addTask { try? await clock.sleep(for: Self.closeLimit) }
                await group.next()
                group.cancelAll()
            }
        }
    }

    /// On the worker's thread.
    private func leave() {
        buffer.withLock { $0.removeAll() }
        // What the group still waits for has to be answered, or closing would wait for ever.
        for change in events.rebalances.close() {
            switch change {
            case .assign(let partitions):
                let end = Int64(RD_KAFKA_OFFSET_END)
                try? client.assign(
                    topic, Dictionary(uniqueKeysWithValues: partitions.map { ($0, end) }))
            case .revoke(let partitions, _): try? client.unassign(topic, partitions)
            }
        }
        client.closeConsumer(within: Self.leaveLimit)
    }

    /// When to look again although nothing has come: a silent consumer would be expelled from its
    /// group.
    private var nextLook: Instant {
        var look = clock.now.advanced(by: heartbeat)
        if let commit = progress.withLock(\.nextCommit) { look = min(look, commit) }
        if let due = progress.withLock(\.lookDue) { look = min(look, due) }
        if let due = reminder.withLock(\.due) { look = min(look, due) }
        if let end = progress.withLock({ $0.resting.values.min() }) { look = min(look, end) }
        if let since = events.faults.downSince {
            look = min(look, since.advanced(by: Self.patience))
        }
        return look
    }
}

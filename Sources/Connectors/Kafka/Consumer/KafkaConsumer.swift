internal import CRdKafka
internal import Concurrency
internal import Metrics
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
    private let metrics: MetricRegistry

    var topic: String { subscription.topic }
    var events: ClientEvents { client.events }

    /// Joins the group. Blocks for as long as it takes to start librdkafka's threads.
    init(
        _ settings: KafkaSettings, _ subscription: Subscription,
        positions: (any PositionStore)?, clock: PipelineClock, log: KafkaLog?,
        metrics: MetricRegistry = MetricRegistry()
    ) throws(PipelineError) {
        precondition(subscription.maxRecords > 0, "a fetch has room for one record")
        self.subscription = subscription
        self.settings = settings
        self.clock = clock
        self.metrics = metrics
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

    func next() async throws -> Fetch { try await settings.blaming { try await nextFetch() } }

    private func nextFetch() async throws -> Fetch {
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

    func rewindAll() {
        progress.withLock { $0.rewindAll() }
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
        if let end = progress.withLock({ $0.pauses.values.min() }) { look = min(look, end) }
        if let since = events.faults.downSince {
            look = min(look, since.advanced(by: Self.patience))
        }
        return look
    }
}

extension KafkaConsumer {
    /// Tells from now on how far the partitions are behind, while they are assigned.
    func tellLag(of partitions: [Int32]) {
        for partition in partitions {
            metrics.setGauge(.consumerLag, topic, "\(partition)", subscription.group) {
                [weak self] in self?.lag(of: partition)
            }
        }
    }

    /// By what librdkafka has heard with its last fetch; asks nobody.
    private func lag(of partition: Int32) -> Double? {
        guard let position = progress.withLock({ $0.position(of: partition) }),
            let end = client.knownEnd(of: topic, partition)
        else { return nil }
        return Double(max(0, end - position))
    }
}

extension KafkaConsumer {
    enum Taken {
        case fetch(Fetch)
        /// Nothing to hand out, but something happened: look again.
        case again
        case nothing
    }

    /// Takes what has arrived, within the subscription's limits.
    /// - Throws: what librdkafka reports about the subscription.
    func take() throws(PipelineError) -> Taken {
        let result: Result<Taken, PipelineError> = buffer.withLock { buffer in
            if buffer.count == 0 { buffer.fill(from: queue) }
            // Filling serves callbacks, and the changes they bring come first.
            if events.rebalances.first != nil { return .success(.again) }
            if buffer.count == 0 { return .success(.nothing) }
            var builder = FetchBuilder(
                topic: topic, source: progress.withLock(\.source), capacity: buffer.count)
            let (seen, failure) = progress.withLock { progress in
                select(into: &builder, from: buffer, &progress)
            }
            if let failure {
                buffer.remove(first: seen)
                return .failure(failure)
            }
            if builder.count == 0 {
                buffer.remove(first: seen)
                return .success(.again)
            }
            let (fetch, ends) = builder.build(from: buffer)
            progress.withLock { progress in
                for end in ends {
                    progress.continuity.note(first: end.first, last: end.last, of: end.partition)
                }
            }
            buffer.remove(first: seen)
            return .success(.fetch(fetch))
        }
        if case .success(.fetch) = result {
            events.faults.recovered()
            reminder.withLock { $0.recordsTaken() }
        }
        reminder.withLock { $0.remind(client, queue, now: clock.now) }
        return try result.get()
    }

    /// Chooses messages for a fetch.
    ///
    /// - Returns: how many messages of the buffer are dealt with, and the error that one of them
    ///   is; with an error nothing has been chosen.
    private func select(
        into builder: inout FetchBuilder, from buffer: borrowing MessageBuffer,
        _ progress: inout ConsumerProgress
    ) -> (seen: Int, failure: PipelineError?) {
        var index = 0
        while index < buffer.count {
            let (code, partition, offset, size) = unsafe buffer.withPointer(at: index) {
                let message = unsafe $0.pointee
                return unsafe (message.err, message.partition, message.offset, message.len)
            }
            if code != RD_KAFKA_RESP_ERR_NO_ERROR {
                // An error waits until what came before it is handed out.
                if builder.count > 0 { break }
                if let failure = report(code, of: buffer, index, &progress) {
                    return (index + 1, failure)
                }
            } else {
                let bytes = builder.payloadBytes + size
                if builder.count > 0 && bytes > subscription.maxBytes { break }
                if let expected = progress.admit(partition, offset) {
                    builder.add(index, of: buffer, expected: expected)
                }
            }
            index += 1
        }
        return (index, nil)
    }

    /// - Returns: `nil` for errors that need nobody's attention but the log's.
    private func report(
        _ code: rd_kafka_resp_err_t, of buffer: borrowing MessageBuffer, _ index: Int,
        _ progress: inout ConsumerProgress
    ) -> PipelineError? {
        let reason = unsafe buffer.withPointer(at: index) {
            unsafe String(cString: rd_kafka_message_errstr($0))
        }
        switch code {
        case RD_KAFKA_RESP_ERR__PARTITION_EOF:
            let (partition, offset) = unsafe buffer.withPointer(at: index) {
                unsafe ($0.pointee.partition, $0.pointee.offset)
            }
            progress.reachedEnd(partition, offset)
            return nil
        case RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
            // The group took the partitions away and gives some back with the next assignment.
            events.note(4, "MAXPOLL", reason)
            return nil
        default: break
        }
        let error = PipelineError.kafka(code, "reading \(topic)", reason)
        guard error.code == .topicMissing else { return error }
        progress.isTopicMissing = true
        return nil
    }
}

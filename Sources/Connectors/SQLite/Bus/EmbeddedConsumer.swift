internal import Concurrency
internal import Metrics
internal import PipelineCore
internal import Synchronization

/// A member of a group of an embedded bus.
final class EmbeddedConsumer: BusConsumer {
    struct State {
        var progress: [EmbeddedProgress]
        /// Where the next fetch begins, so that no partition starves.
        var turn = 0
        var isClosed = false
        /// What advances name the log by.
        var source = ""
        /// The last record of each partition that was handed out since the store was last told what
        /// to know the log by.
        var last: [Int32: Int64] = [:]
        var lastKept: Instant
        /// Partitions that the store can tell from those of another log.
        var attested: Set<Int32> = []
        /// Partitions of which nothing is handed out until then.
        var pausedUntil: [Int: Instant] = [:]

        fileprivate mutating func dropEndedPauses(at now: Instant) {
            if pausedUntil.isEmpty { return }
            pausedUntil = pausedUntil.filter { $0.value > now }
        }
    }

    let bus: EmbeddedBus
    let topic: EmbeddedTopic
    let subscription: Subscription
    let positions: any PositionStore
    private let storesPositions: Bool
    private let group: EmbeddedBus.GroupKey
    private let member: Int
    private let signal = Signal()
    let state: Mutex<State>

    init(
        bus: EmbeddedBus, topic: EmbeddedTopic, subscription: Subscription,
        positions: (any PositionStore)?
    ) {
        self.bus = bus
        self.topic = topic
        self.subscription = subscription
        let own = BusPositions(database: bus.database, topic: topic, group: subscription.group)
        self.positions = positions ?? own
        storesPositions = positions == nil
        let count = topic.partitions.count
        state = Mutex(
            State(
                progress: Array(repeating: EmbeddedProgress(), count: count),
                lastKept: bus.clock.now))
        group = EmbeddedBus.GroupKey(topic: topic.name, group: subscription.group)
        bus.database.topicSignals.add(signal, for: topic.name)
        member = bus.withGroup(group, partitions: count) { $0.join() }
    }

    deinit { leave() }

    func next() async throws -> Fetch {
        while true {
            try Task.checkCancellation()
            if state.withLock({ $0.isClosed }) { throw CancellationError() }
            try await storePositions()
            let partitions = balance()
            try await loadPositions(partitions)
            let fetch = try await read(partitions)
            try await keepWitnesses(isCaughtUp: fetch.records.isEmpty)
            if !fetch.records.isEmpty && handOut(fetch) {
                try await attest(fetch)
                return fetch
            }
            let looks = [
                bus.pollInterval.map { bus.clock.now.advanced(by: $0) },
                state.withLock { $0.pausedUntil.values.min() },
            ]
            if let next = looks.compactMap(\.self).min() {
                try await signal.wait(until: next, clock: bus.clock)
            } else {
                try await signal.wait()
            }
        }
    }

    func settled(_ advances: [PositionAdvance]) {
        state.withLock { state in
            for advance in advances where advance.source == state.source {
                state.progress[Int(advance.partition)].settle(advance)
            }
        }
        signal.send()
    }

    func rewind(_ advances: [PositionAdvance]) {
        state.withLock { state in
            for advance in advances { state.progress[Int(advance.partition)].rewind() }
        }
        signal.send()
    }

    func rewindAll() {
        state.withLock { state in
            for partition in state.progress.indices { state.progress[partition].rewind() }
        }
        signal.send()
    }

    func rewind(_ advances: [PositionAdvance], after pause: Duration) {
        let end = bus.clock.now.advanced(by: pause)
        state.withLock { state in
            for advance in advances { state.pausedUntil[Int(advance.partition)] = end }
        }
        rewind(advances)
    }

    func close() async {
        // What can't be stored now is read again later: nothing is lost.
        try? await storePositions()
        leave()
    }

    private func leave() {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return }
        bus.database.topicSignals.remove(signal)
        bus.withGroup(group, partitions: topic.partitions.count) { $0.leave(member) }
    }

    /// Lets partitions go and takes others. Answers those to read now.
    private func balance() -> [Int] {
        let idle = state.withLock { state in
            state.progress.map { $0.isIdle(storesPositions: storesPositions) }
        }
        let (readable, owned) = bus.withGroup(group, partitions: topic.partitions.count) { group in
            let readable = group.balance(member) { idle[$0] }
            return (readable, topic.partitions.indices.map { group.owns(member, $0) })
        }
        let now = bus.clock.now
        return state.withLock { state in
            // Whoever owns it next moves the stored position: forget ours.
            for partition in owned.indices where !owned[partition] {
                state.progress[partition] = EmbeddedProgress()
                state.pausedUntil[partition] = nil
            }
            state.dropEndedPauses(at: now)
            return readable.filter { state.pausedUntil[$0] == nil }
        }
    }

    private func loadPositions(_ partitions: [Int]) async throws {
        let missing = state.withLock { state in
            partitions.filter { state.progress[$0].position == nil }
        }
        if missing.isEmpty { return }
        let stored = try await startingPoints(of: missing)
        state.withLock { state in
            if state.source != stored.source {
                // Positions of the log before can't be moved any more.
                for partition in state.progress.indices { state.progress[partition].rewind() }
                state.source = stored.source
            }
            for (partition, position) in stored.next {
                state.progress[Int(partition)].start(at: position)
                state.attested.remove(partition)
            }
            state.attested.formUnion(stored.witnesses.keys)
        }
        for partition in missing {
            bus.metrics.setGauge(
                .consumerLag, topic.name, "\(partition)", subscription.group
            ) { [weak self] in self?.lag(of: partition) }
        }
    }

    /// By what this process has appended and seen; `nil` unless the partition is this member's.
    private func lag(of partition: Int) -> Double? {
        let position = state.withLock { $0.isClosed ? nil : $0.progress[partition].position }
        guard let position, let end = bus.knownEnd(of: partition, in: topic.name) else {
            return nil
        }
        return Double(max(0, end - position))
    }

    private func read(_ partitions: [Int]) async throws -> Fetch {
        if partitions.isEmpty { return Fetch(records: [], advances: []) }
        let starts = state.withLock { state in
            state.turn += 1
            return partitions.indices.compactMap { index -> (Int, Int64)? in
                let partition = partitions[(index + state.turn) % partitions.count]
                return state.progress[partition].position.map { (partition, $0) }
            }
        }
        let source = state.withLock(\.source)
        let (fetch, ends) = try await bus.database.read { [topic, subscription] connection in
            var fetch = PartitionFetch(subscription, source: source)
            for (partition, position) in starts where !fetch.isFull {
                try fetch.read(
                    partition, number: topic.partitions[partition], from: position,
                    in: connection)
            }
            let ends = try topic.ends(of: starts.map { Int32($0.0) }, in: connection)
            return (fetch.finish(), ends)
        }
        bus.seen(ends, of: topic.name)
        return fetch
    }

    /// Notes what is in flight; `false` if a position was rewound meanwhile: then read again.
    private func handOut(_ fetch: Fetch) -> Bool {
        state.withLock { state in
            let isCurrent = fetch.advances.allSatisfy {
                state.progress[Int($0.partition)].position == $0.expected
            }
            guard isCurrent else { return false }
            for advance in fetch.advances {
                state.progress[Int(advance.partition)].handOut(to: advance.next)
                state.last[advance.partition] = advance.next - 1
            }
            return true
        }
    }

    private func storePositions() async throws {
        guard storesPositions else { return }
        let steps = state.withLock { state in
            state.progress.enumerated().filter { $1.settled != $1.stored }.map {
                PositionAdvance(
                    source: state.source, partition: Int32($0), expected: $1.stored,
                    next: $1.settled)
            }
        }
        if steps.isEmpty { return }
        try await BusPositions(database: bus.database, topic: topic, group: subscription.group)
            .advance(steps)
        state.withLock { state in
            for step in steps { state.progress[Int(step.partition)].markStored(step.next) }
        }
    }
}

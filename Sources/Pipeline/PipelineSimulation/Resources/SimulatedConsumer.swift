internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// A member of a group of a simulated bus.
final class SimulatedConsumer: BusConsumer {
    private struct State {
        /// `nil`: not in the group.
        var member: UInt64?
        var isClosed = false
        /// Where to read next in the partitions that are ours and whose positions are known. In
        /// order of partitions.
        var positions: [(partition: Int32, position: Int64)] = []
        /// The generation in which the partitions were dealt out.
        var generation = -1
        var turn = 0
    }
    private let bus: SimulatedBus
    private let subscription: Subscription
    private let positions: any PositionStore
    private let keepsPositions: Bool
    private let process = SimulatedProcess.current
    private let signal = Signal()
    private let state = Mutex(State())

    init(bus: SimulatedBus, subscription: Subscription, positions: (any PositionStore)?) {
        self.bus = bus
        self.subscription = subscription
        self.positions = positions ?? SimulatedGroupPositions(bus: bus, subscription: subscription)
        keepsPositions = positions == nil
        process?.observe { [weak self] change in self?.processChanged(change) }
    }

    deinit { if process == nil { leave() } }

    func next() async throws -> Fetch {
        while true {
            try Task.checkCancellation()
            let assigned = try await bus.resource.call { [self] in joinOrLook() }
            guard let assigned else { throw CancellationError() }
            try await load(assigned)
            let starts = turned()
            let fetch = try await bus.resource.call { [bus, subscription] in
                bus.withTopic(subscription.topic) {
                    $0.read(
                        subscription.topic, as: bus.logName(of: subscription.topic).key,
                        from: starts, subscription)
                }
            }
            if !fetch.records.isEmpty {
                if handOut(fetch) { return fetch }
                continue
            }
            try await signal.wait()
        }
    }

    /// Joins the group if need be. Answers the generation and this member's partitions; `nil` when
    /// closed.
    private func joinOrLook() -> (generation: Int, partitions: [Int32])? {
        let member: UInt64? = state.withLock { state in
            if state.isClosed { return nil }
            if let member = state.member { return member }
            let new = bus.newMember()
            state.member = new
            return new
        }
        guard let member else { return nil }
        let (found, signals) = bus.withTopic(subscription.topic) { topic in
            var signals: [SimulatedTopic.Member] = []
            let group = subscription.group
            if topic.groups[group]?.members.contains(where: { $0.id == member }) != true {
                topic.join(SimulatedTopic.Member(id: member, signal: signal), group)
                signals = topic.groups[group]?.members ?? []
            }
            let count = topic.partitions.count
            let partitions = topic.groups[group]?.partitions(of: member, count: count) ?? []
            return ((topic.groups[group]?.generation ?? 0, partitions), signals)
        }
        for other in signals where other.id != member { other.signal.send() }
        // Its process may have died since it asked.
        if !signals.isEmpty, let process, !process.isResponsive { expelLater(member, process) }
        return found
    }

    /// Reads the stored positions of partitions that are new here, or were rewound.
    private func load(_ assigned: (generation: Int, partitions: [Int32])) async throws {
        let missing = state.withLock { state in
            if state.generation != assigned.generation {
                // Whoever had a partition meanwhile moved the stored position.
                state.generation = assigned.generation
                state.positions.removeAll()
            }
            state.positions.removeAll { !assigned.partitions.contains($0.partition) }
            let known = state.positions.map(\.partition)
            return assigned.partitions.filter { !known.contains($0) }
        }
        if missing.isEmpty { return }
        let ends = bus.ends(of: subscription.topic)
        let initial = missing.map { partition in
            (partition, subscription.start == .latest ? ends[Int(partition)] : 0)
        }
        let stored = try await positions.positions(
            of: bus.logName(of: subscription.topic),
            initial: Dictionary(uniqueKeysWithValues: initial))
        state.withLock { state in
            if state.generation != assigned.generation { return }
            for partition in missing {
                guard let position = stored.next[partition] else { continue }
                state.positions.append((partition, position))
            }
            state.positions.sort { $0.partition < $1.partition }
        }
    }

    /// The positions, beginning with another partition every time.
    private func turned() -> [(partition: Int32, position: Int64)] {
        state.withLock { state in
            if state.positions.isEmpty { return [] }
            state.turn = (state.turn + 1) % state.positions.count
            return Array(state.positions[state.turn...] + state.positions[..<state.turn])
        }
    }

    /// Notes what is in flight; false if a position was rewound meanwhile: then it is read again.
    private func handOut(_ fetch: Fetch) -> Bool {
        state.withLock { state in
            let isCurrent = fetch.advances.allSatisfy { advance in
                state.positions.contains {
                    $0.partition == advance.partition && $0.position == advance.expected
                }
            }
            guard isCurrent else { return false }
            for advance in fetch.advances {
                for index in state.positions.indices
                where state.positions[index].partition == advance.partition {
                    state.positions[index].position = advance.next
                }
            }
            return true
        }
    }

    func settled(_ advances: [PositionAdvance]) {
        guard keepsPositions else { return }
        bus.withTopic(subscription.topic) { topic in
            for advance in advances {
                topic.groups[subscription.group]?.committed[advance.partition] = advance.next
            }
        }
    }

    func rewind(_ advances: [PositionAdvance]) {
        state.withLock { state in
            state.positions.removeAll { known in
                advances.contains { $0.partition == known.partition }
            }
        }
        signal.send()
    }

    func rewindAll() {
        state.withLock { $0.positions.removeAll() }
        signal.send()
    }

    func close() async {
        state.withLock { $0.isClosed = true }
        leave()
        signal.send()
    }

    private func leave() {
        let member = state.withLock { state in
            defer { state.member = nil }
            return state.member
        }
        if let member { expel(member) }
    }

    /// Takes a member out of the group and tells the others. It joins again as another one when it
    /// next looks.
    private func expel(_ member: UInt64) {
        state.withLock { if $0.member == member { $0.member = nil } }
        let signals: [SimulatedTopic.Member] = bus.withTopic(subscription.topic) { topic in
            guard topic.leave(member, subscription.group) else { return [] }
            return topic.groups[subscription.group]?.members ?? []
        }
        for other in signals { other.signal.send() }
        signal.send()
    }

    private func processChanged(_ change: SimulatedProcess.Change) {
        guard let member = state.withLock({ $0.member }), let process else { return }
        if case .paused(let duration) = change, duration < bus.sessionTimeout { return }
        expelLater(member, process)
    }

    private func expelLater(_ member: UInt64, _ process: SimulatedProcess) {
        process.simulator.schedule(after: bus.sessionTimeout) { [self] in
            process.simulator.log("expel \(process.name) from \(subscription.topic)")
            expel(member)
        }
    }
}

/// Positions that a bus keeps for a group.
private struct SimulatedGroupPositions: PositionStore {
    let bus: SimulatedBus
    let subscription: Subscription

    func positions(of log: LogName, initial: [Int32: Int64]) async throws -> StoredPositions {
        let next = try await bus.resource.call { [self] in
            bus.withTopic(subscription.topic) { topic in
                let committed = topic.groups[subscription.group]?.committed ?? [:]
                return initial.merging(committed.filter { initial[$0.key] != nil }) { $1 }
            }
        }
        return StoredPositions(source: log.key, next: next, partitions: Set(next.keys))
    }

    // A simulated bus keeps its topics.
    func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {}
    func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws {}
}

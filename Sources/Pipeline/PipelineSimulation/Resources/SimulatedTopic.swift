internal import Concurrency
internal import PipelineCore

/// The log of a topic and its consumer groups, as the server of a simulated bus keeps them.
struct SimulatedTopic: Sendable {
    struct Message: Sendable {
        var record: OutgoingRecord
        var timestamp: Timestamp
    }
    struct Member: Sendable {
        let id: UInt64
        let signal: Signal
    }
    struct Group: Sendable {
        var members: [Member] = []
        /// Grows with every change of the members.
        var generation = 0
        /// Positions of consumers that have no position store.
        var committed: [Int32: Int64] = [:]

        /// The partitions of a member in this generation; every generation deals them out anew.
        func partitions(of member: UInt64, count: Int) -> [Int32]? {
            guard let index = members.firstIndex(where: { $0.id == member }) else { return nil }
            return (0..<count).filter { ($0 + generation) % members.count == index }
                .map(Int32.init)
        }
    }

    var partitions: [[Message]]
    /// Looked up, never iterated.
    var groups: [String: Group] = [:]
    /// Members of all groups, in the order in which they joined.
    var signals: [Member] = []

    init(partitions count: Int) { partitions = Array(repeating: [], count: count) }

    /// Equal keys go to the same partition.
    private func partition(for key: Bytes?, turn: Int) -> Int {
        guard let key else { return turn % partitions.count }
        return Int(Digest(of: key).low % UInt64(partitions.count))
    }

    mutating func append(_ record: OutgoingRecord, at now: Timestamp, turn: Int) {
        partitions[partition(for: record.key, turn: turn)].append(
            Message(record: record, timestamp: now))
    }

    mutating func join(_ member: Member, _ group: String) {
        groups[group, default: Group()].members.append(member)
        groups[group]?.generation += 1
        signals.append(member)
    }

    /// - Returns: whether it was a member.
    mutating func leave(_ member: UInt64, _ group: String) -> Bool {
        guard let index = groups[group]?.members.firstIndex(where: { $0.id == member })
        else { return false }
        groups[group]?.members.remove(at: index)
        groups[group]?.generation += 1
        signals.removeAll { $0.id == member }
        return true
    }

    func read(
        _ name: String, as source: String, from positions: [(partition: Int32, position: Int64)],
        _ subscription: Subscription
    ) -> Fetch {
        var fetch = Fetch(records: [], advances: [])
        var bytes = 0
        for (partition, position) in positions {
            var next = position
            let log = partitions[Int(partition)]
            while next < log.count, fetch.records.count < subscription.maxRecords {
                let message = log[Int(next)]
                bytes += message.record.payload.count
                if !fetch.records.isEmpty, bytes > subscription.maxBytes { break }
                fetch.records.append(
                    Record(
                        key: message.record.key, payload: message.record.payload,
                        headers: message.record.headers, timestamp: message.timestamp,
                        origin: Origin(source: name, partition: partition, offset: next),
                        ordinal: fetch.records.count))
                next += 1
            }
            if next > position {
                fetch.advances.append(
                    PositionAdvance(
                        source: source, partition: partition, expected: position, next: next))
            }
        }
        return fetch
    }
}

internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// The positions of a group that the bus keeps itself.
struct BusPositions: PositionStore {
    let database: SQLiteDatabase
    let topic: EmbeddedTopic
    let group: String

    func positions(of log: LogName, initial: [Int32: Int64]) async throws -> StoredPositions {
        try await database.write { [topic, group] connection in
            let insert = try connection.statement(
                "INSERT INTO bus_positions VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")
            let select = try connection.statement(
                """
                SELECT next_offset FROM bus_positions
                WHERE group_name = ?1 AND topic_no = ?2 AND partition = ?3
                """)
            var positions: [Int32: Int64] = [:]
            for (partition, offset) in initial.sorted(by: { $0.key < $1.key }) {
                try insert.run(group, topic.number, partition, offset)
                positions[partition] = try select.first(group, topic.number, partition) {
                    $0.int64(0)
                }
            }
            return StoredPositions(
                source: log.key, next: positions, partitions: Set(initial.keys))
        }
    }

    /// They lie in the same file as what was read: nothing else can have its name.
    func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {}

    func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws {
        try await database.write { [topic, group] connection in
            for (partition, offset) in starts {
                try connection.run(
                    """
                    UPDATE bus_positions SET next_offset = ?4
                    WHERE group_name = ?1 AND topic_no = ?2 AND partition = ?3
                    """, group, topic.number, partition, offset)
            }
        }
    }

    /// - Throws: `fenced` `position-moved` when another process has moved one of them.
    func advance(_ steps: [PositionAdvance]) async throws {
        try await database.write { [topic, group] connection in
            let update = try connection.statement(
                """
                UPDATE bus_positions SET next_offset = ?5
                WHERE group_name = ?1 AND topic_no = ?2 AND partition = ?3 AND next_offset = ?4
                """)
            for step in steps {
                let changed = try update.run(
                    group, topic.number, step.partition, step.expected, step.next)
                guard changed == 1 else {
                    throw PipelineError.fenced(
                        .positionMoved,
                        "another process reads \(topic.name)[\(step.partition)] for \(group)")
                }
            }
        }
    }
}

/// Who of a group reads which partition: a state machine without I/O.
///
/// Partition *p* is meant for member *p mod n*. A partition changes hands cooperatively: its owner
/// lets it go once nothing of it is unsettled, and only then another may take it.
struct ConsumerGroup: Hashable, Sendable {
    /// In order of joining.
    private(set) var members: [Int] = []
    private var owners: [Int?]
    private var nextMember = 1

    init(partitions: Int) { owners = Array(repeating: nil, count: partitions) }

    mutating func join() -> Int {
        defer { nextMember += 1 }
        members.append(nextMember)
        return nextMember
    }

    /// Frees what the member owned, settled or not: the next owner goes on from the stored
    /// positions.
    mutating func leave(_ member: Int) {
        members.removeAll { $0 == member }
        for partition in owners.indices where owners[partition] == member {
            owners[partition] = nil
        }
    }

    /// Brings a member in line: releases what is meant for another and `isIdle`, takes what is free
    /// and meant for it.
    ///
    /// - Returns: the partitions that the member may read now; others that it still owns it must
    ///   not read on.
    mutating func balance(_ member: Int, isIdle: (Int) -> Bool) -> [Int] {
        guard members.contains(member) else { return [] }
        var readable: [Int] = []
        for partition in owners.indices {
            let target = members[partition % members.count]
            if target == member {
                if owners[partition] == nil { owners[partition] = member }
                if owners[partition] == member { readable.append(partition) }
            } else if owners[partition] == member && isIdle(partition) {
                owners[partition] = nil
            }
        }
        return readable
    }

    func owns(_ member: Int, _ partition: Int) -> Bool { owners[partition] == member }
}

/// The signals of those who wait for a name: one each, so that none is taken by another.
final class SignalRegistry: Sendable {
    private struct Entry {
        var name: String
        var signal: Signal
    }
    private let entries = Mutex<[Entry]>([])

    func add(_ signal: Signal, for name: String) {
        entries.withLock { $0.append(Entry(name: name, signal: signal)) }
    }

    func remove(_ signal: Signal) {
        entries.withLock { $0.removeAll { $0.signal === signal } }
    }

    func send(for name: String) {
        let signals = entries.withLock { $0.filter { $0.name == name }.map(\.signal) }
        for signal in signals { signal.send() }
    }
}

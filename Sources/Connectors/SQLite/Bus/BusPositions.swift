internal import PipelineCore

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
                        "position-moved",
                        "another process reads \(topic.name)[\(step.partition)] for \(group)")
                }
            }
        }
    }
}

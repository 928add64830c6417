public import PipelineCore

/// A table of positions: the columns of its owner (a stage), then `source`, `partition`,
/// `next_offset`, `log`, `incarnation`, `witness_offset`, `witness_digest`. Every method belongs
/// inside a write transaction.
public struct PositionTable: Sendable {
    private let name: String
    private let owner: [String]
    private let formerOwner: String?

    /// - Parameters:
    ///   - name: the table.
    ///   - owner: the columns that say whose the positions are.
    ///   - formerOwner: the condition for rows of earlier versions; by default the same owner's.
    public init(_ name: String, owner: [String], formerOwner: String? = nil) {
        self.name = name
        self.owner = owner
        self.formerOwner = formerOwner
    }

    /// As ``PipelineCore/PositionStore/positions(of:initial:)``.
    public func positions<each Owner: SQLiteValue>(
        of log: LogName, initial: [Int32: Int64], in connection: SQLiteConnection,
        owner: repeat each Owner
    ) throws -> StoredPositions {
        var incarnation = try incarnation(of: log, in: connection, owner: repeat each owner)
        if incarnation == nil {
            // Kept by a version that knew logs by their topics alone.
            try connection.run(
                """
                UPDATE \(name) SET source = ?1, log = ?1, \(assignments(3).joined(separator: ", "))
                WHERE source = ?2 AND log IS NULL AND \(formerOwner ?? isOwner(3))
                """, log.key, log.formerKey, repeat each owner)
            incarnation = 0
        }
        var stored = StoredPositions(source: log.source(incarnation: incarnation ?? 0))
        let insert = try connection.statement(
            """
            INSERT INTO \(name)(source, log, incarnation, partition, next_offset, \(columns))
            VALUES(?1, ?2, ?3, ?4, ?5, \(parameters(6))) ON CONFLICT DO NOTHING
            """)
        for (partition, offset) in initial.sorted(by: { $0.key < $1.key }) {
            try insert.run(
                stored.source, log.key, incarnation ?? 0, partition, offset, repeat each owner)
        }
        try connection.forEach(
            """
            SELECT partition, next_offset, witness_offset, witness_digest FROM \(name)
            WHERE source = ?1 AND \(isOwner(2))
            """, stored.source, repeat each owner
        ) { row in
            let partition = Int32(clamping: row.int64(0))
            stored.partitions.insert(partition)
            guard initial[partition] != nil else { return }
            stored.next[partition] = row.int64(1)
            if row.isNull(2) { return }
            stored.witnesses[partition] = LogWitness(
                offset: row.int64(2), digest: UInt64(bitPattern: row.int64(3)))
        }
        return stored
    }

    /// The rows of a log, by a condition on their owners; `nil` without any, or in a file of an
    /// earlier version. Only reads.
    public func find<each Owner: SQLiteValue>(
        _ log: LogName, in connection: SQLiteConnection, where isOwner: String,
        owner: repeat each Owner
    ) throws -> StoredPositions? {
        let columns = "SELECT 1 FROM pragma_table_info(?1) WHERE name = 'witness_offset'"
        guard try connection.first(columns, name, read: { $0.int(0) }) != nil else { return nil }
        var stored = StoredPositions(source: log.key)
        try connection.forEach(
            """
            SELECT partition, next_offset, witness_offset, witness_digest FROM \(name)
            WHERE (log = ?1 OR log IS NULL AND source = ?2) AND \(isOwner)
            """, log.key, log.formerKey, repeat each owner
        ) { row in
            let partition = Int32(clamping: row.int64(0))
            stored.partitions.insert(partition)
            stored.next[partition] = row.int64(1)
            if row.isNull(2) { return }
            stored.witnesses[partition] = LogWitness(
                offset: row.int64(2), digest: UInt64(bitPattern: row.int64(3)))
        }
        return stored.next.isEmpty ? nil : stored
    }

    /// As ``PipelineCore/PositionStore/keep(_:of:)``.
    public func keep<each Owner: SQLiteValue>(
        _ witnesses: [Int32: LogWitness], of source: String, in connection: SQLiteConnection,
        owner: repeat each Owner
    ) throws {
        let update = try connection.statement(
            """
            UPDATE \(name) SET witness_offset = ?3, witness_digest = ?4
            WHERE source = ?1 AND partition = ?2 AND \(isOwner(5))
            """)
        for (partition, witness) in witnesses {
            try update.run(
                source, partition, witness.offset, Int64(bitPattern: witness.digest),
                repeat each owner)
        }
    }

    /// As ``PipelineCore/PositionStore/restart(_:after:at:)``.
    public func restart<each Owner: SQLiteValue>(
        _ log: LogName, after source: String, at starts: [Int32: Int64],
        in connection: SQLiteConnection, owner: repeat each Owner
    ) throws {
        guard let last = try incarnation(of: log, in: connection, owner: repeat each owner),
            log.source(incarnation: last) == source
        else { return }
        try connection.run(
            "DELETE FROM \(name) WHERE log = ?1 AND \(isOwner(2))", log.key, repeat each owner)
        for (partition, offset) in starts {
            try connection.run(
                """
                INSERT INTO \(name)(source, log, incarnation, partition, next_offset, \(columns))
                VALUES(?1, ?2, ?3, ?4, ?5, \(parameters(6)))
                """, log.source(incarnation: last + 1), log.key, last + 1, partition, offset,
                repeat each owner)
        }
    }

    /// The number of the log that has the name now; `nil` without any positions.
    private func incarnation<each Owner: SQLiteValue>(
        of log: LogName, in connection: SQLiteConnection, owner: repeat each Owner
    ) throws -> Int? {
        try connection.first(
            "SELECT max(incarnation) FROM \(name) WHERE log = ?1 AND \(isOwner(2))", log.key,
            repeat each owner
        ) { $0.isNull(0) ? nil : $0.int(0) } ?? nil
    }

    private var columns: String { owner.joined(separator: ", ") }

    private func parameters(_ first: Int) -> String {
        owner.indices.map { "?\(first + $0)" }.joined(separator: ", ")
    }

    private func assignments(_ first: Int) -> [String] {
        owner.enumerated().map { "\($1) = ?\(first + $0)" }
    }

    private func isOwner(_ first: Int) -> String {
        assignments(first).joined(separator: " AND ")
    }
}

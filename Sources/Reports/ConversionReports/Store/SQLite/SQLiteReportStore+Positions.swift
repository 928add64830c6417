public import PipelineCore
public import SQLite

extension SQLiteReportStore {
    public func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions {
        try await database.write { [owner] connection in
            try connection.checkOwner(owner, of: log)
            return try SQLiteReportSQL.positions.positions(
                of: log, initial: initial, in: connection, owner: owner.pipeline, owner.stage)
        }
    }

    public func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
        try await database.write { [owner] connection in
            try SQLiteReportSQL.positions.keep(
                witnesses, of: source, in: connection, owner: owner.pipeline, owner.stage)
        }
    }

    public func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws {
        try await database.write { [owner] connection in
            try SQLiteReportSQL.positions.restart(
                log, after: source, at: starts, in: connection, owner: owner.pipeline, owner.stage)
        }
    }

    public func rename(_ old: StateName, to new: StateName) async throws -> [String] {
        try await database.write { connection in
            let stages = try connection.owned(by: old)
            if stages.isEmpty { return [] }
            guard try connection.owned(by: new).isEmpty else {
                throw PipelineError.positionsOwned(new)
            }
            try connection.run(
                """
                UPDATE conversion_event_positions SET pipeline = ?3, stage = ifnull(?4, stage)
                WHERE pipeline = ?1 AND (?2 IS NULL OR stage = ?2)
                """, old.pipeline, old.part, new.pipeline, new.part)
            return PositionOwner.sentences(stages, of: old.pipeline)
        }
    }

    public func abandon(_ name: StateName, isTrial: Bool) async throws -> [String] {
        try await database.write { connection in
            let stages = try connection.owned(by: name)
            if !isTrial {
                try connection.run(
                    """
                    DELETE FROM conversion_event_positions
                    WHERE pipeline = ?1 AND (?2 IS NULL OR stage = ?2)
                    """, name.pipeline, name.part)
            }
            return PositionOwner.sentences(stages, of: name.pipeline)
        }
    }
}

extension SQLiteReportStore {
    /// Where a pipeline goes on in a log; `nil` without positions. Only reads.
    public static func storedPositions(
        of log: LogName, pipeline: String, _ connection: SQLiteConnection
    ) throws -> StoredPositions? {
        try SQLiteReportSQL.positions.find(
            log, in: connection, where: "pipeline IN (?3, '')", owner: pipeline)
    }
}

extension SQLiteConnection {
    fileprivate func checkOwner(_ owner: PositionOwner, of log: LogName) throws {
        if owner.isNobody { return }
        let other = try first(
            """
            SELECT pipeline, stage FROM conversion_event_positions
            WHERE log = ?3 AND NOT EXISTS (
              SELECT 1 FROM conversion_event_positions
              WHERE pipeline = ?1 AND stage = ?2 AND log = ?3)
            LIMIT 1
            """, owner.pipeline, owner.stage, log.key
        ) { PositionOwner(pipeline: $0.text(0), stage: $0.text(1)) }
        if let other { throw PipelineError.positionsOwned(log, by: other, not: owner) }
    }

    fileprivate func owned(by name: StateName) throws -> [String] {
        var stages: [String] = []
        try forEach(
            """
            SELECT DISTINCT stage FROM conversion_event_positions
            WHERE pipeline = ?1 AND (?2 IS NULL OR stage = ?2)
            """, name.pipeline, name.part
        ) { stages.append($0.text(0)) }
        return stages
    }
}

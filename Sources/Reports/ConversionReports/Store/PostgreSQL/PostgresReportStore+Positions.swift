public import PipelineCore
internal import Postgres

extension PostgresReportStore {
    public func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions {
        let wanted = initial.sorted { $0.key < $1.key }
        try await pool.check(Self.migration)
        return try await pool.withConnection { [owner] connection in
            try connection.checkOwner(owner, of: log)
            return try connection.query(PostgresReportSQL.positions) {
                $0.add(owner)
                $0.add(text: log.key)
                $0.add(text: log.formerKey)
                $0.add(int4s: wanted.map(\.key))
                $0.add(int8s: wanted.map(\.value))
            }.positions(of: log, wanted: initial)
        }
    }

    public func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
        let witnesses = witnesses.sorted { $0.key < $1.key }
        try await pool.withConnection { [owner] connection in
            _ = try connection.query(PostgresReportSQL.keepWitnesses) {
                $0.add(owner)
                $0.add(text: source)
                $0.add(int4s: witnesses.map(\.key))
                $0.add(int8s: witnesses.map(\.value.offset))
                $0.add(int8s: witnesses.map { Int64(bitPattern: $0.value.digest) })
            }
        }
    }

    public func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws {
        let starts = starts.sorted { $0.key < $1.key }
        try await pool.withConnection { [owner] connection in
            _ = try connection.query(PostgresReportSQL.restart) {
                $0.add(owner)
                $0.add(text: log.key)
                $0.add(text: source)
                $0.add(int4s: starts.map(\.key))
                $0.add(int8s: starts.map(\.value))
            }
        }
    }

    public func rename(_ old: StateName, to new: StateName) async throws -> [String] {
        try await pool.withTransaction { connection in
            let stages = try connection.owned(by: old)
            if stages.isEmpty { return [] }
            guard try connection.owned(by: new).isEmpty else {
                throw PipelineError.positionsOwned(new)
            }
            _ = try connection.query(PostgresReportSQL.renameOwner) {
                $0.add(old)
                $0.add(new)
            }
            return PositionOwner.sentences(stages, of: old.pipeline)
        }
    }

    public func abandon(_ name: StateName, isTrial: Bool) async throws -> [String] {
        try await pool.withTransaction { connection in
            let stages = try connection.owned(by: name)
            if !isTrial {
                _ = try connection.query(PostgresReportSQL.abandonOwner) { $0.add(name) }
            }
            return PositionOwner.sentences(stages, of: name.pipeline)
        }
    }
}

extension PostgresConnection {
    fileprivate func checkOwner(_ owner: PositionOwner, of log: LogName) throws {
        if owner.isNobody { return }
        let other = try query(PostgresReportSQL.otherOwner) {
            $0.add(owner)
            $0.add(text: log.key)
        }
        if other.rowCount == 0 { return }
        throw PipelineError.positionsOwned(
            log, by: PositionOwner(pipeline: other.text(0, 0), stage: other.text(0, 1)),
            not: owner)
    }

    fileprivate func owned(by name: StateName) throws -> [String] {
        let rows = try query(PostgresReportSQL.owned) { $0.add(name) }
        return (0..<rows.rowCount).map { rows.text($0, 0) }
    }
}

extension PostgresParameters {
    fileprivate func add(_ name: StateName) {
        add(text: name.pipeline)
        add(text: name.part)
    }
}

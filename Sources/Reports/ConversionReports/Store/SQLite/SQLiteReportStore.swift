public import PipelineCore
public import SQLite

/// Events and rollups in a SQLite file, beside whatever else it holds.
///
/// Writes are transactions of the file's one writer; reads run beside them on one snapshot.
public struct SQLiteReportStore: ReportStore {
    let database: SQLiteDatabase
    let clock: PipelineClock
    private var owner = PositionOwner(pipeline: "", stage: "")

    /// - Parameter clock: tells when a reading's snapshot was taken.
    public init(_ database: SQLiteDatabase, clock: PipelineClock) {
        self.database = database
        self.clock = clock
    }

    public func owned(byPipeline pipeline: String, stage: String) -> any ReportStore {
        var copy = self
        copy.owner = PositionOwner(pipeline: pipeline, stage: stage)
        return copy
    }

    public func migrate() async throws {
        try await database.migrate(Self.migration)
    }

    static let migration = SQLiteMigration(
        component: "conversion-reports",
        steps: [SQLiteReportSQL.schema, SQLiteReportSQL.ownedPositions])

    /// Looks at the tables' version. Only reads.
    ///
    /// - Parameter connection: `nil` for a file that is not there yet.
    public static func findings(_ connection: SQLiteConnection?) throws -> [ResourceFinding] {
        guard let connection else { return [] }
        return [try connection.finding("events and reports", of: migration)]
    }

    public func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions {
        try await database.write { [owner] connection in
            try SQLiteReportSQL.positions.positions(
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

    public func append(_ events: EventBatch, advances: [PositionAdvance]) async throws {
        if events.isEmpty && advances.isEmpty { return }
        let deltas = events.hourDeltas()
        try await database.write { [owner] connection in
            guard try connection.advance(advances, of: owner) else { return }
            try connection.insert(deltas, of: events)
            try connection.insert(events)
        }
    }

    public func tryAppending(_ events: EventBatch) async throws {
        let deltas = events.hourDeltas()
        do {
            try await database.write { connection in
                try connection.insert(deltas, of: events)
                try connection.insert(events)
                throw TakenBack()
            }
        } catch is TakenBack {}
    }

    public func fold(limit: Int) async throws -> FoldResult {
        try await database.write { connection in
            let bound = try connection.first(SQLiteReportSQL.foldBound, limit) { row in
                (last: row.int64(0), count: row.int(1))
            }
            guard let bound, bound.count > 0 else { return .folded(0) }
            try connection.run(SQLiteReportSQL.foldHours, bound.last)
            try connection.run(SQLiteReportSQL.foldDays, bound.last)
            try connection.run(SQLiteReportSQL.deleteFolded, bound.last)
            return .folded(bound.count)
        }
    }

    public func read(_ queries: [ConversionQuery]) async throws -> ConversionReading {
        let parameter = queries.jsonParameter()
        return try await database.read { [clock] connection in
            // Before the first read takes the snapshot: what is stored later may be missing.
            let dataAsOf = clock.timestamp
            var reading = ConversionReading(
                counts: Array(
                    repeating: ConversionCounts(views: 0, payments: 0), count: queries.count),
                dataAsOf: dataAsOf, rowsRead: 0)
            try connection.forEach(SQLiteReportSQL.read, parameter) { row in
                reading.counts[row.int(0)] = ConversionCounts(
                    views: row.int64(1), payments: row.int64(2))
                reading.rowsRead += row.int64(3)
            }
            return reading
        }
    }
}

extension SQLiteConnection {
    /// Advances the positions, all or none.
    ///
    /// - Returns: false when all of them are where they are to go: what was read has been stored.
    fileprivate func advance(
        _ advances: [PositionAdvance], of owner: PositionOwner
    ) throws -> Bool {
        let stored = try advances.map { advance in
            try first(
                SQLiteReportSQL.position, owner.pipeline, owner.stage, advance.source,
                advance.partition
            ) { $0.int64(0) }
        }
        if !advances.isEmpty && zip(stored, advances).allSatisfy({ $0 == $1.next }) { return false }
        for (stored, advance) in zip(stored, advances) where stored != advance.expected {
            throw PipelineError.positionMoved(advance, stored: stored)
        }
        for advance in advances {
            try run(
                SQLiteReportSQL.setPosition, owner.pipeline, owner.stage, advance.source,
                advance.partition, advance.next)
        }
        return true
    }

    fileprivate func insert(_ deltas: [HourDelta], of events: EventBatch) throws {
        let insert = try statement(SQLiteReportSQL.insertDelta)
        for delta in deltas {
            let row = events.rows[delta.row]
            try insert.run(
                events.product(of: row), delta.bucket, events.checkout(of: row), delta.views,
                delta.payments)
        }
    }

    fileprivate func insert(_ events: EventBatch) throws {
        let insert = try statement(SQLiteReportSQL.insertEvent)
        for row in events.rows {
            try insert.run(
                row.occurredAt, events.product(of: row), events.checkout(of: row),
                row.kind.name, row.count, row.id)
        }
    }
}

public import PipelineCore
public import SQLite

/// Events and rollups in a SQLite file, beside whatever else it holds.
///
/// Writes are transactions of the file's one writer; reads run beside them on one snapshot.
public struct SQLiteReportStore: ReportStore {
    private let database: SQLiteDatabase
    private let clock: PipelineClock
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

    public func owned(
        byPipeline pipeline: String, stage: String, beside owners: [StateOwner]
    ) -> any ReportStore {
        var copy = self
        copy.owner = PositionOwner(pipeline: pipeline, stage: stage, atHand: owners)
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
            try owner.check(connection.storers(of: log), of: log)
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

    public func unfolded(limit: Int) async throws -> Int {
        try await database.read { connection in
            try connection.first(SQLiteReportSQL.foldBound, limit) { $0.int(1) } ?? 0
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

extension SQLiteReportStore {
    /// Where a pipeline goes on in a log; `nil` without positions. Only reads.
    public static func storedPositions(
        of log: LogName, pipeline: String, _ connection: SQLiteConnection
    ) throws -> StoredPositions? {
        try SQLiteReportSQL.positions.find(
            log, in: connection, where: "pipeline IN (?3, '')", owner: pipeline)
    }

    /// The stages that have positions in a log; none without tables of this version. Only reads.
    public static func storers(
        of log: LogName, _ connection: SQLiteConnection
    ) throws -> [StateName] {
        let owned = """
            SELECT 1 FROM pragma_table_info('conversion_event_positions') WHERE name = 'stage'
            """
        guard try connection.first(owned, read: { $0.int(0) }) != nil else { return [] }
        return try connection.storers(of: log)
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

extension SQLiteReportStore: StateAdministration {
    public func rename(_ renamings: [StateRenaming], isTrial: Bool) async throws -> [[String]] {
        try await renamings.done(isTrial: isTrial, in: { try await database.write($0) }) {
            try Self.rename($0, $1)
        }
    }

    /// One renaming, within somebody's transaction.
    public static func rename(
        _ renaming: StateRenaming, _ connection: SQLiteConnection
    ) throws -> [String] {
        let (old, new) = (renaming.old, renaming.new)
        let both = try connection.first(
            """
            SELECT 1 FROM conversion_event_positions o JOIN conversion_event_positions n
              ON n.pipeline = ?3 AND n.stage = ifnull(?4, o.stage) AND n.log = o.log
            WHERE o.pipeline = ?1 AND (?2 IS NULL OR o.stage = ?2)
              AND (n.pipeline, n.stage) <> (o.pipeline, o.stage)
            """, old.pipeline, old.part, new.pipeline, new.part
        ) { $0.int(0) }
        if both != nil { throw PipelineError.positionsOwned(new) }
        let moved = try connection.run(
            """
            UPDATE conversion_event_positions SET pipeline = ?3, stage = ifnull(?4, stage)
            WHERE pipeline = ?1 AND (?2 IS NULL OR stage = ?2)
            """, old.pipeline, old.part, new.pipeline, new.part)
        if moved == 0 { return [] }
        try renaming.check(.events)
        return ["\(new) stores events where \(old) was: \(moved) partition(s)"]
    }

    /// Nothing waits in a store of events; where stages that are gone have read them up to is
    /// forgotten.
    public func abandon(
        _ name: StateName, besides owners: [StateOwner], reason: String, isTrial: Bool
    ) async throws -> [String] {
        if name.isAtHand(among: owners) { return [] }
        return try await database.write { connection in
            var found: [(stage: StateName, partitions: Int)] = []
            try connection.forEach(
                """
                SELECT pipeline, stage, count(*) FROM conversion_event_positions
                WHERE pipeline = ?1 AND (?2 IS NULL OR stage = ?2)
                GROUP BY pipeline, stage ORDER BY stage
                """, name.pipeline, name.part
            ) { found.append((StateName(pipeline: $0.text(0), part: $0.text(1)), $0.int(2))) }
            return try found.compactMap { stage, partitions in
                if stage.isAtHand(among: owners) { return nil }
                if !isTrial {
                    try connection.run(
                        "DELETE FROM conversion_event_positions WHERE pipeline = ?1 AND stage = ?2",
                        stage.pipeline, stage.part)
                }
                return stage.forgotten(partitions: partitions)
            }
        }
    }
}

extension SQLiteConnection {
    /// The stages that have positions in the log.
    fileprivate func storers(of log: LogName) throws -> [StateName] {
        var found: [StateName] = []
        try forEach(
            """
            SELECT DISTINCT pipeline, stage FROM conversion_event_positions
            WHERE log = ?1 AND pipeline <> '' ORDER BY 1, 2
            """, log.key
        ) { found.append(StateName(pipeline: $0.text(0), part: $0.text(1))) }
        return found
    }
}

extension [ConversionQuery] {
    /// The parameter of SQLite's read statement: `[["product","checkout" | null,start,end],…]`.
    func jsonParameter() -> String {
        var text: [UInt8] = [UInt8(ascii: "[")]
        text.reserveCapacity(count * 64)
        for query in self {
            if text.count > 1 { text.append(UInt8(ascii: ",")) }
            text.append(UInt8(ascii: "["))
            text.append(jsonString: query.productID)
            text.append(UInt8(ascii: ","))
            if let checkout = query.checkoutID {
                text.append(jsonString: checkout)
            } else {
                text += "null".utf8
            }
            text += ",\(query.start.microseconds),\(query.end.microseconds)]".utf8
        }
        text.append(UInt8(ascii: "]"))
        return String(decoding: text, as: UTF8.self)
    }
}

extension [UInt8] {
    /// [RFC 8259, strings](https://www.rfc-editor.org/rfc/rfc8259#section-7).
    fileprivate mutating func append(jsonString value: String) {
        append(UInt8(ascii: "\""))
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append(UInt8(ascii: "\\"))
                append(byte)
            case 0..<0x20:
                self += "\\u00".utf8
                append(hexDigit(byte >> 4))
                append(hexDigit(byte & 15))
            default: append(byte)
            }
        }
        append(UInt8(ascii: "\""))
    }

    private func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}

public import PipelineCore
public import Postgres

/// Events and rollups in PostgreSQL, in the schema `conversion`; events partitioned by month.
///
/// Any number of processes may append, fold and read at once.
public final class PostgresReportStore: ReportStore {
    let pool: PostgresPool
    private let partitions: EventPartitions
    private let owner: PositionOwner

    /// Opens nothing.
    public init(pool: PostgresPool) {
        self.pool = pool
        owner = PositionOwner(pipeline: "", stage: "")
        partitions = EventPartitions(pool: pool)
    }

    private init(_ store: PostgresReportStore, owner: PositionOwner) {
        pool = store.pool
        partitions = store.partitions
        self.owner = owner
    }

    public func owned(byPipeline pipeline: String, stage: String) -> any ReportStore {
        PostgresReportStore(self, owner: PositionOwner(pipeline: pipeline, stage: stage))
    }

    public func owned(
        byPipeline pipeline: String, stage: String, beside owners: [StateOwner]
    ) -> any ReportStore {
        PostgresReportStore(
            self, owner: PositionOwner(pipeline: pipeline, stage: stage, atHand: owners))
    }

    /// The read statement is fast by one plan only: nested loops over index-only scans. An empty
    /// partition, or counts that the planner guesses wrongly, must not talk it into another.
    static let readSettings = [
        "jit": "off", "enable_seqscan": "off", "enable_hashjoin": "off",
        "enable_mergejoin": "off", "plan_cache_mode": "force_generic_plan",
    ]

    public func migrate() async throws {
        try await pool.migrate(Self.migration)
        await partitions.prepareAhead()
    }

    public func append(_ events: EventBatch, advances: [PositionAdvance]) async throws {
        if events.isEmpty && advances.isEmpty { return }
        await partitions.prepare(for: events)
        do {
            try await pool.withConnection { [owner] in
                try $0.append(events, advances, of: owner)
            }
        } catch let error as PipelineError where error.postgres?.sqlState == "22012" {
            try await checkAdvanced(advances)
        }
    }

    public func tryAppending(_ events: EventBatch) async throws {
        do {
            try await pool.withTransaction { [owner] connection in
                try connection.append(events, [], of: owner)
                throw TakenBack()
            }
        } catch is TakenBack {}
    }

    /// Returns when all positions are where they were to go: what was read has been stored.
    private func checkAdvanced(_ advances: [PositionAdvance]) async throws {
        let stored = try await pool.withConnection { [owner] connection in
            try advances.map { advance in
                let row = try connection.query(PostgresReportSQL.storedPosition) {
                    $0.add(owner)
                    $0.add(text: advance.source)
                    $0.add(int4: advance.partition)
                }
                return row.rowCount == 0 ? nil : row.int64(0, 0)
            }
        }
        if zip(stored, advances).allSatisfy({ $0 == $1.next }) { return }
        let moved = zip(stored, advances).first { $0 != $1.expected }
        // It can't be that none has moved, unless it moved back in the meantime.
        throw PipelineError.positionMoved(moved?.1 ?? advances[0], stored: moved?.0 ?? stored[0])
    }

    public func fold(limit: Int) async throws -> FoldResult {
        try await pool.withTransaction("BEGIN ISOLATION LEVEL READ COMMITTED", for: .bulk) {
            connection in
            // A statement of its own: the next one's snapshot must be younger than the lock.
            let lock = try connection.query("SELECT pg_try_advisory_xact_lock($1::bigint)") {
                $0.add(int8: PostgresReportSQL.folderLock)
            }
            guard lock.bool(0, 0) else { return .busy }
            let folded = try connection.query(PostgresReportSQL.fold) { $0.add(int8: Int64(limit)) }
            return .folded(folded.int(0, 0))
        }
    }

    public func unfolded(limit: Int) async throws -> Int {
        try await pool.withConnection(for: .bulk) { connection in
            try connection.query(PostgresReportSQL.unfolded) { $0.add(int8: Int64(limit)) }
                .int(0, 0)
        }
    }

    public func read(_ queries: [ConversionQuery]) async throws -> ConversionReading {
        try await pool.withConnection(for: .bulk, settings: Self.readSettings) { connection in
            if queries.isEmpty {
                let clock = try connection.query("SELECT statement_timestamp()")
                return ConversionReading(
                    counts: [], dataAsOf: clock.timestamp(0, 0), rowsRead: 0)
            }
            // A statement by itself is planned before its snapshot is taken: it would miss the
            // events of a month whose table is attached between the two, and see their deltas.
            let rows = try connection.transaction(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            ) {
                try connection.query(PostgresReportSQL.read) { queries.bind(to: $0) }
            }
            var reading = ConversionReading(
                counts: Array(
                    repeating: ConversionCounts(views: 0, payments: 0), count: queries.count),
                dataAsOf: rows.timestamp(0, 4), rowsRead: 0)
            for row in 0..<rows.rowCount {
                reading.counts[rows.int(row, 0) - 1] = ConversionCounts(
                    views: rows.int64(row, 1), payments: rows.int64(row, 2))
                reading.rowsRead += rows.int64(row, 3)
            }
            return reading
        }
    }

    public func close() async {}
}

extension PostgresReportStore {
    public func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions {
        let wanted = initial.sorted { $0.key < $1.key }
        try await pool.check(Self.migration)
        return try await pool.withConnection { [owner] connection in
            try owner.check(connection.storers(of: log), of: log)
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
}

extension PostgresParameters {
    fileprivate func add(_ owner: PositionOwner) {
        add(text: owner.pipeline)
        add(text: owner.stage)
    }
}

extension [ConversionQuery] {
    fileprivate func bind(to parameters: PostgresParameters) {
        parameters.add(texts: map(\.productID))
        parameters.add(arrayOf: .text, self) { $0.write(text: $1.checkoutID) }
        parameters.add(timestamptzs: map(\.start))
        parameters.add(timestamptzs: map(\.end))
    }
}

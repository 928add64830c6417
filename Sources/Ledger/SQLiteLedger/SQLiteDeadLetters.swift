internal import PipelineCore
internal import SQLite

/// The dead letters of one pipeline in a SQLite file.
struct SQLiteDeadLetters: DeadLetterStore {
    let database: SQLiteDatabase
    let pipeline: String
    let clock: PipelineClock

    func keep(_ letters: [StoredDeadLetter]) async throws {
        try await database.write { [pipeline, clock] connection in
            let insert = try connection.statement(
                """
                INSERT INTO ledger_dead_letters(
                  pipeline, stage, code, reason, attempts, kept_at, refusal, resource, source,
                  partition, record_no, recorded_at, key, payload, headers)
                VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
                """)
            let now = clock.timestamp
            for letter in letters {
                let (rejection, record) = (letter.rejection, letter.rejection.record)
                let payload = record.isTombstone ? nil : record.payload
                try insert.run(
                    pipeline, rejection.stage, rejection.code.name, rejection.reason,
                    rejection.attempts, now, "\(letter.refusal)", letter.resource,
                    record.origin.source, record.origin.partition, record.origin.offset,
                    record.timestamp, record.key, payload, HeaderCoding.encode(record.headers))
            }
        }
    }

    func deadLetters(
        _ selection: DeadLetterSelection, limit: Int
    ) async throws -> [StoredDeadLetter] {
        try await database.read { [pipeline] connection in
            var found: [StoredDeadLetter] = []
            try connection.forEach(
                """
                SELECT letter_no, stage, code, reason, attempts, kept_at, refusal, resource, source,
                  partition, record_no, recorded_at, key, payload, headers
                FROM ledger_dead_letters WHERE \(Self.condition) ORDER BY letter_no LIMIT ?8
                """, pipeline, selection.stage, selection.code, Self.array(selection.numbers),
                selection.after, selection.keptFrom, selection.keptBefore, limit
            ) { found.append(Self.letter($0)) }
            return found
        }
    }

    func deadLetterCounts() async throws -> [String: Int] {
        try await database.read { [pipeline] connection in
            var counts: [String: Int] = [:]
            try connection.forEach(
                "SELECT stage, count(*) FROM ledger_dead_letters WHERE pipeline = ?1 GROUP BY 1",
                pipeline
            ) { counts[$0.text(0)] = $0.int(1) }
            return counts
        }
    }

    func removeDeadLetters(_ selection: DeadLetterSelection) async throws -> Int {
        try await database.write { [pipeline] connection in
            try connection.run(
                "DELETE FROM ledger_dead_letters WHERE \(Self.condition)", pipeline,
                selection.stage, selection.code, Self.array(selection.numbers), selection.after,
                selection.keptFrom, selection.keptBefore)
        }
    }

    private static let condition = """
        pipeline = ?1 AND (?2 IS NULL OR stage = ?2) AND (?3 IS NULL OR code = ?3)
        AND (?4 IS NULL OR letter_no IN (SELECT value FROM json_each(?4)))
        AND (?5 IS NULL OR letter_no > ?5)
        AND (?6 IS NULL OR kept_at >= ?6) AND (?7 IS NULL OR kept_at < ?7)
        """

    private static func array(_ numbers: [Int64]?) -> String? {
        numbers.map { CaseNumbers.encode($0) }
    }

    private static func letter(_ row: borrowing SQLiteRow) -> StoredDeadLetter {
        let record = Record(
            key: row.isNull(12) ? nil : row.blob(12), payload: row.blob(13),
            isTombstone: row.isNull(13),
            headers: row.isNull(14) ? [] : HeaderCoding.decode(row.blob(14)),
            timestamp: Timestamp(microseconds: row.int64(11)),
            origin: Origin(
                source: row.text(8), partition: Int32(clamping: row.int(9)), offset: row.int64(10)))
        return StoredDeadLetter(
            Rejection(
                record, stage: row.text(1), code: ErrorCode(foreign: row.text(2)),
                reason: row.text(3),
                attempts: row.int(4)),
            resource: row.text(7), refusal: PipelineError(.deadLettersRefused, row.text(6)),
            number: row.int64(0), keptAt: row.timestamp(5))
    }
}

extension SQLiteDeadLetters {
    func settled(of log: LogName) async throws -> [Int32: SettledLetters] {
        try await database.read { try $0.settledLetters(of: log) }
    }

    func settle(
        _ letters: [Int32: SettledLetters], of log: LogName, starts: [Int32: Int64],
        refuted: [Int32: LogWitness]
    ) async throws -> Int {
        try await database.write { connection in
            var all = try connection.settledLetters(of: log)
            for (partition, witness) in refuted where all[partition]?.witness == witness {
                all[partition] = nil
                try connection.run(
                    "DELETE FROM ledger_settled_letters WHERE log = ?1 AND partition = ?2",
                    log.key, partition)
            }
            var count = 0
            for (partition, new) in letters {
                count += new.countNew(to: all[partition])
                var row = all[partition] ?? new
                row.add(new, start: starts[partition] ?? 0)
                try connection.run(
                    "INSERT OR REPLACE INTO ledger_settled_letters VALUES(?1, ?2, ?3, ?4, ?5)",
                    log.key, partition, CaseNumbers.encode(row.offsets.bounds),
                    row.witness.offset, Int64(bitPattern: row.witness.digest))
            }
            return count
        }
    }
}

extension SQLiteConnection {
    fileprivate func settledLetters(of log: LogName) throws -> [Int32: SettledLetters] {
        var found: [Int32: SettledLetters] = [:]
        try forEach(
            """
            SELECT partition, bounds, witness_offset, witness_digest
            FROM ledger_settled_letters WHERE log = ?1
            """, log.key
        ) { row in
            let witness = LogWitness(
                offset: row.int64(2), digest: UInt64(bitPattern: row.int64(3)))
            found[Int32(clamping: row.int(0))] = SettledLetters(
                OffsetRanges(bounds: CaseNumbers.decode(row.text(1))), witness: witness)
        }
        return found
    }
}

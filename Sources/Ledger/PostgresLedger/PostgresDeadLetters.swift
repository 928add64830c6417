internal import PipelineCore
internal import Postgres

/// The dead letters of one pipeline in PostgreSQL.
struct PostgresDeadLetters: DeadLetterStore {
    let pool: PostgresPool
    let pipeline: String

    func keep(_ letters: [StoredDeadLetter]) async throws {
        // One each: payloads may be large, and a large one must not take the others along.
        for letter in letters {
            try await pool.withConnection { [pipeline] connection in
                _ = try connection.query(
                    """
                    insert into penstock.dead_letters(
                      pipeline, stage, code, reason, attempts, refusal, resource, source, part,
                      record_no, recorded_at, key, payload, header_names, header_values)
                    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
                    """
                ) { $0.add(letter, of: pipeline) }
            }
        }
    }

    func deadLetters(
        _ selection: DeadLetterSelection, limit: Int
    ) async throws -> [StoredDeadLetter] {
        try await pool.withConnection { [self] connection in
            let answer = try connection.query(
                """
                select letter_no, stage, code, reason, attempts, refusal, resource, source, part,
                  record_no, recorded_at, key, payload, header_names, header_values, kept_at
                from penstock.dead_letters where \(Self.condition) order by letter_no limit $8
                """
            ) {
                add(selection, to: $0)
                $0.add(int8: Int64(limit))
            }
            return (0..<answer.rowCount).map { StoredDeadLetter(answer, $0) }
        }
    }

    func deadLetterCounts() async throws -> [String: Int] {
        try await pool.withConnection { [pipeline] connection in
            let answer = try connection.query(
                "select stage, count(*) from penstock.dead_letters where pipeline = $1 group by 1"
            ) { $0.add(text: pipeline) }
            return Dictionary(
                uniqueKeysWithValues: (0..<answer.rowCount).map {
                    (answer.text($0, 0), answer.int($0, 1))
                })
        }
    }

    func removeDeadLetters(_ selection: DeadLetterSelection) async throws -> Int {
        try await pool.withConnection { [self] connection in
            try connection.query("delete from penstock.dead_letters where \(Self.condition)") {
                add(selection, to: $0)
            }.affectedRows
        }
    }

    private static let condition = """
        pipeline = $1 and ($2::text is null or stage = $2) and ($3::text is null or code = $3)
        and ($4::bigint[] is null or letter_no = any($4))
        and ($5::bigint is null or letter_no > $5)
        and ($6::timestamptz is null or kept_at >= $6)
        and ($7::timestamptz is null or kept_at < $7)
        """

    private func add(_ selection: DeadLetterSelection, to parameters: PostgresParameters) {
        parameters.add(text: pipeline)
        parameters.add(text: selection.stage)
        parameters.add(text: selection.code)
        if let numbers = selection.numbers {
            parameters.add(int8s: numbers)
        } else {
            parameters.addNull(arrayOf: .int8)
        }
        parameters.add(int8: selection.after)
        parameters.add(timestamptz: selection.keptFrom)
        parameters.add(timestamptz: selection.keptBefore)
    }
}

extension PostgresDeadLetters {
    func settled(of log: LogName) async throws -> [Int32: SettledLetters] {
        try await pool.withConnection { try $0.settledLetters(of: log) }
    }

    func settle(
        _ letters: [Int32: SettledLetters], of log: LogName, starts: [Int32: Int64],
        refuted: [Int32: LogWitness]
    ) async throws -> Int {
        try await pool.withTransaction { connection in
            // One at a time for a log: what is not there yet can't be locked.
            _ = try connection.query(
                "select pg_advisory_xact_lock(hashtextextended('penstock.settled ' || $1, 0))"
            ) { $0.add(text: log.key) }
            var all = try connection.settledLetters(of: log)
            for (partition, witness) in refuted where all[partition]?.witness == witness {
                all[partition] = nil
                _ = try connection.query(
                    "delete from penstock.settled_letters where log = $1 and part = $2"
                ) {
                    $0.add(text: log.key)
                    $0.add(int4: partition)
                }
            }
            var count = 0
            for (partition, new) in letters {
                count += new.countNew(to: all[partition])
                var row = all[partition] ?? new
                row.add(new, start: starts[partition] ?? 0)
                _ = try connection.query(
                    """
                    insert into penstock.settled_letters(
                      log, part, bounds, witness_offset, witness_digest)
                    values ($1, $2, $3, $4, $5)
                    on conflict (log, part) do update set bounds = excluded.bounds,
                      witness_offset = excluded.witness_offset,
                      witness_digest = excluded.witness_digest
                    """
                ) {
                    $0.add(text: log.key)
                    $0.add(int4: partition)
                    $0.add(int8s: row.offsets.bounds)
                    $0.add(int8: row.witness.offset)
                    $0.add(int8: Int64(bitPattern: row.witness.digest))
                }
            }
            return count
        }
    }
}

extension PostgresConnection {
    fileprivate func settledLetters(of log: LogName) throws -> [Int32: SettledLetters] {
        let answer = try query(
            """
            select part, bounds, witness_offset, witness_digest
            from penstock.settled_letters where log = $1
            """
        ) { $0.add(text: log.key) }
        return Dictionary(
            uniqueKeysWithValues: (0..<answer.rowCount).map { row in
                let witness = LogWitness(
                    offset: answer.int64(row, 2),
                    digest: UInt64(bitPattern: answer.int64(row, 3)))
                let offsets = OffsetRanges(bounds: answer.int64s(row, 1))
                return (
                    Int32(clamping: answer.int(row, 0)), SettledLetters(offsets, witness: witness)
                )
            })
    }
}

extension PostgresParameters {
    fileprivate func add(_ letter: StoredDeadLetter, of pipeline: String) {
        let (rejection, record) = (letter.rejection, letter.rejection.record)
        add(text: pipeline)
        add(text: rejection.stage)
        add(text: rejection.code.name)
        add(text: rejection.reason.storable)
        add(int4: Int32(clamping: rejection.attempts))
        add(text: "\(letter.refusal)".storable)
        add(text: letter.resource)
        add(text: record.origin.source.storable)
        add(int4: record.origin.partition)
        add(int8: record.origin.offset)
        add(timestamptz: record.timestamp)
        add(bytea: record.key)
        add(bytea: record.isTombstone ? nil : record.payload)
        add(texts: record.headers.map(\.name.storable))
        add(arrayOf: .bytea, record.headers) { $0.write(bytea: $1.value) }
    }
}

extension StoredDeadLetter {
    fileprivate init(_ answer: PostgresResult, _ row: Int) {
        let payload = answer.bytesOrNil(row, 12)
        let record = Record(
            key: answer.bytesOrNil(row, 11), payload: payload ?? [], isTombstone: payload == nil,
            headers: zip(answer.elements(row, 13), answer.elements(row, 14)).map {
                Header(name: String(decoding: $0 ?? [], as: UTF8.self), value: $1)
            },
            timestamp: answer.timestamp(row, 10),
            origin: Origin(
                source: answer.text(row, 7), partition: Int32(clamping: answer.int(row, 8)),
                offset: answer.int64(row, 9)))
        self.init(
            Rejection(
                record, stage: answer.text(row, 1), code: ErrorCode(foreign: answer.text(row, 2)),
                reason: answer.text(row, 3), attempts: answer.int(row, 4)),
            resource: answer.text(row, 6),
            refusal: PipelineError(.deadLettersRefused, answer.text(row, 5)),
            number: answer.int64(row, 0), keptAt: answer.timestamp(row, 15))
    }
}

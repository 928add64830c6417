internal import Ledger
public import PipelineCore
internal import Postgres

extension PostgresLedger {
    public func snapshots(of ids: [UUID]) async throws -> [UUID: CaseSnapshot] {
        try await withStage(for: .reading) { connection, stage in
            let answer = try connection.query(
                """
                select key, state, accepted_at, deadline, case_no, batch_no, outcome_id, reason,
                  report, data_as_of, written_at, parameters, attempt, newest,
                  requester
                from penstock.snapshots($1, $2)
                """
            ) {
                $0.add(int2: stage)
                $0.add(uuids: ids)
            }
            var snapshots: [UUID: CaseSnapshot] = [:]
            snapshots.reserveCapacity(answer.rowCount)
            for row in 0..<answer.rowCount {
                let snapshot = try Self.snapshot(answer, row)
                snapshots[snapshot.id] = snapshot
            }
            return snapshots
        }
    }

    /// Looks at nothing but keys: thousands of readers are waited for with it, every second.
    public func finished(of ids: [UUID]) async throws -> Set<UUID> {
        try await withStage { connection, stage in
            let answer = try connection.query(
                "select key from penstock.finished($1, $2) key"
            ) {
                $0.add(int2: stage)
                $0.add(uuids: ids)
            }
            return Set((0..<answer.rowCount).map { answer.uuid($0, 0) })
        }
    }

    private static func snapshot(
        _ answer: PostgresResult, _ row: Int
    ) throws -> CaseSnapshot {
        let id = answer.uuid(row, 0)
        let state = try CaseState(letter: answer.char(row, 1), of: id)
        let deadline = answer.timestamp(row, 3)
        let requester = answer.textOrNil(row, 14)
        let outcome = answer.uuidOrNil(row, 6).map { outcomeID in
            Outcome(
                id: outcomeID, caseNumber: answer.int64(row, 4), caseID: id,
                revision: answer.int(row, 12), batch: answer.int64(row, 5), state: state,
                reason: answer.textOrNil(row, 7),
                report: answer.bytesOrNil(row, 8), dataAsOf: answer.timestampOrNil(row, 9),
                writtenAt: answer.timestamp(row, 10), deadline: deadline,
                parameters: answer.bytes(row, 11), requester: requester)
        }
        return CaseSnapshot(
            id: id, revision: answer.int(row, 13), state: state,
            acceptedAt: answer.timestamp(row, 2), deadline: deadline, requester: requester,
            outcome: outcome)
    }

    public func list(_ listing: CaseListing) async throws -> [ListedCase] {
        try await withStage(for: .reading) { connection, stage in
            let (beyond, order) = listing.isAscending ? (">", "asc") : ("<", "desc")
            let answer = try connection.query(
                """
                select case_no, key, accepted_at, parameters from penstock.cases c
                where stage = $1 and \(listing.requester == nil ? "$2::text is null" : "requester = $2")
                  and \(listing.after == nil ? "$3::bigint is null" : "case_no \(beyond) $3")
                  and not exists (
                    select from penstock.cases n
                    where n.key = c.key and n.stage = $1 and n.attempt > c.attempt)
                order by case_no \(order) limit $4
                """
            ) {
                $0.add(int2: stage)
                $0.add(text: listing.requester)
                $0.add(int8: listing.after)
                $0.add(int8: Int64(listing.limit))
            }
            return (0..<answer.rowCount).map { row in
                ListedCase(
                    number: answer.int64(row, 0), id: answer.uuid(row, 1),
                    acceptedAt: answer.timestamp(row, 2), parameters: answer.bytes(row, 3))
            }
        }
    }

    public func reopenable(of ids: [UUID]) async throws -> Set<UUID> {
        try await withStage { connection, stage in
            let answer = try connection.query("select penstock.reopenable($1, $2)") {
                $0.add(int2: stage)
                $0.add(uuids: ids)
            }
            return Set((0..<answer.rowCount).map { answer.uuid($0, 0) })
        }
    }
}

/// The `"char"` that stands for a state in the tables and in the functions' answers.
extension CaseState {
    var letter: UInt8 {
        switch self {
        case .pending: UInt8(ascii: "p")
        case .sealed: UInt8(ascii: "g")
        case .running: UInt8(ascii: "r")
        case .succeeded: UInt8(ascii: "s")
        case .failed: UInt8(ascii: "f")
        case .cancelled: UInt8(ascii: "c")
        case .expired: UInt8(ascii: "e")
        }
    }

    /// - Throws: retryable `store-damaged` for a letter that no ledger writes.
    init(letter: UInt8, of id: UUID) throws {
        guard let state = Self.allCases.first(where: { $0.letter == letter }) else {
            let shown = String(decoding: [letter], as: UTF8.self)
            throw PipelineError.damagedRow(of: "\(id)", "its state is \"\(shown)\"")
        }
        self = state
    }
}

extension PostgresLedger {
    public func positions(of log: LogName, initial: [Int32: Int64]) async throws
        -> StoredPositions
    {
        try await withStage { connection, stage in
            let answer = try connection.query(
                """
                select source, part, next_offset, witness_offset, witness_digest
                from penstock.positions($1, $2, $3, $4, $5)
                """
            ) {
                let parts = initial.sorted { $0.key < $1.key }
                $0.add(int2: stage)
                $0.add(text: log.key)
                $0.add(text: log.formerKey)
                $0.add(int4s: parts.map(\.key))
                $0.add(int8s: parts.map(\.value))
            }
            return answer.positions(of: log, wanted: initial)
        }
    }

    public func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
        try await withStage { connection, stage in
            _ = try connection.query(
                """
                update penstock.positions p set witness_offset = x.o, witness_digest = x.d
                from unnest($3::int[], $4::bigint[], $5::bigint[]) x(part, o, d)
                where p.stage = $1 and p.source = $2 and p.part = x.part
                """
            ) {
                let parts = witnesses.sorted { $0.key < $1.key }
                $0.add(int2: stage)
                $0.add(text: source)
                $0.add(int4s: parts.map(\.key))
                $0.add(int8s: parts.map(\.value.offset))
                $0.add(int8s: parts.map { Int64(bitPattern: $0.value.digest) })
            }
        }
    }

    public func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws {
        try await withStage { connection, stage in
            _ = try connection.query("select penstock.restart_positions($1, $2, $3, $4, $5)") {
                let parts = starts.sorted { $0.key < $1.key }
                $0.add(int2: stage)
                $0.add(text: log.key)
                $0.add(text: source)
                $0.add(int4s: parts.map(\.key))
                $0.add(int8s: parts.map(\.value))
            }
        }
    }
}

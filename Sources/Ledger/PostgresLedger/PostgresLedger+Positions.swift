public import PipelineCore
internal import Postgres

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

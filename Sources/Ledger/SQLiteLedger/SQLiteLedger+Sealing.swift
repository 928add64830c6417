internal import Batching
public import Ledger
public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func seal() async throws -> SealingResult {
        try await database.write { [self] connection in
            let number = try stageNumber(connection)
            var sealer = try Sealer(connection, stage: number, now: clock.timestamp)
            return try sealer.seal(stage.rule, revision: stage.revision)
        }
    }

    public func requestFlush() async throws {
        try await database.write { [self] connection in
            let number = try stageNumber(connection)
            try connection.run(
                "UPDATE ledger_stages SET flush_requested = ?2 WHERE stage_no = ?1",
                number, clock.timestamp)
        }
    }

    public func expectedSealing() async throws -> Timestamp? {
        try await database.read { [self] connection in
            let number = try stageNumber(connection)
            let sealer = try Sealer(connection, stage: number, now: clock.timestamp)
            return try sealer.expected(stage.rule)
        }
    }
}

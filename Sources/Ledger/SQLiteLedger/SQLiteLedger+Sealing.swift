internal import Ledger
internal import Batching
public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func seal() async throws -> SealingResult {
        let registration = try await registered()
        return try await database.write { [clock, stage] connection in
            var sealer = try Sealer(connection, registration, now: clock.timestamp)
            return try sealer.seal(stage.rule)
        }
    }

    public func requestFlush() async throws {
        let number = try await registered().number
        try await database.write { [clock] connection in
            _ = try connection.run(
                "UPDATE ledger_stages SET flush_requested = ?2 WHERE stage_no = ?1",
                number, clock.timestamp)
        }
    }

    public func expectedSealing() async throws -> ExpectedSealing {
        let registration = try await registered()
        return try await database.read { [clock, stage] connection in
            let now = clock.timestamp
            let sealer = try Sealer(connection, registration, now: now)
            return ExpectedSealing(at: try sealer.expected(stage.rule), clock: now)
        }
    }
}

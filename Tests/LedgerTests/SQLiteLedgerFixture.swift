import Batching
import Ledger
import PipelineCore
import PipelineTesting
import SQLite
import SQLiteLedger

/// A ledger in memory under a clock that the test moves.
struct SQLiteLedgerFixture: Sendable {
    let time = ManualClock()
    let random = RandomSource(seed: 1)
    let database: SQLiteDatabase
    let ledger: any Ledger

    init(
        _ trigger: Trigger = .any([.count(4), .maxAge(.seconds(60)), .manual]), maxBatch: Int = 4,
        database: SQLiteDatabase = .inMemory(), clock: PipelineClock? = nil
    ) async throws {
        self.database = database
        let provider = SQLiteLedgerProvider(
            database: database, clock: clock ?? time.clock, random: random)
        try await provider.migrateLedger()
        ledger = provider.ledger(for: Self.stage(trigger, maxBatch: maxBatch))
        try await ledger.register()
    }

    static func stage(
        _ trigger: Trigger, maxBatch: Int = 4, text: String = "rule", revision: Int64? = nil
    ) -> LedgerStage {
        LedgerStage(
            pipeline: "p", stage: "batch",
            rule: BatchingRule(trigger: trigger, maxBatch: maxBatch, minInterval: .zero),
            ruleText: text, revision: revision, sla: .hours(24))
    }

    func id(_ number: Int) -> UUID { UUID(high: 7, low: UInt64(number)) }

    /// Accepts cases of these numbers; each digest is the number's, unless `content` says
    /// otherwise.
    @discardableResult
    func accept(
        _ numbers: some Sequence<Int>, content: UInt64 = 0, advances: [PositionAdvance] = []
    ) async throws -> Acceptance {
        var submissions = Submissions(advances: advances)
        for number in numbers {
            submissions.append(
                id: id(number), digest: Digest(high: content, low: UInt64(number)), deadline: nil,
                parameters: [UInt8(truncatingIfNeeded: number)])
        }
        return try await ledger.accept(submissions)
    }

    /// Claims the next batch and commits it.
    func generate(
        sinks: [String] = [], _ result: CaseResult = .report([1, 2, 3])
    ) async throws -> Batch? {
        guard let batch = try await ledger.claim(worker: "w", lease: .seconds(10)) else {
            return nil
        }
        try await ledger.commit(commit(batch, sinks: sinks, result))
        return batch
    }

    func commit(
        _ batch: Batch, sinks: [String] = [], _ result: CaseResult = .report([1, 2, 3])
    ) -> BatchCommit {
        BatchCommit(
            batch: batch.number, token: batch.token, cases: batch.cases.map(\.number),
            outcomeIDs: batch.cases.map { UUID(high: 9, low: UInt64($0.number)) },
            results: batch.cases.map { _ in result }, dataAsOf: time.timestamp, sinks: sinks,
            took: .milliseconds(20), rowsRead: 3)
    }

    func states(_ numbers: Int...) async throws -> [CaseState?] {
        let snapshots = try await ledger.snapshots(of: numbers.map(id))
        return numbers.map { snapshots[id($0)]?.state }
    }
}

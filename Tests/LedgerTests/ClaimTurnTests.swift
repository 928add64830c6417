import Batching
import Ledger
import PipelineCore
import PostgresLedger
import Testing

@Suite("Turns at claiming", .timeLimit(.minutes(5)))
struct ClaimTurnTests {
    @Test(
        "go round where one batch may be in work, though whoever ends one asks first again")
    func turns() async throws {
        try await PostgresTestDatabase.withLedgers { _, provider in
            let ledger = try provider.ledger(
                for: LedgerStage(
                    pipeline: "p", stage: "batch",
                    rule: BatchingRule(trigger: .count(1), maxBatch: 1, minInterval: .zero),
                    ruleText: "rule", revision: nil, sla: .hours(24)))
            var submissions = Submissions()
            for number in 1...30 {
                let id = UUID(high: 1, low: UInt64(number))
                submissions.append(
                    id: id, digest: Digest(high: 0, low: id.low), deadline: nil, parameters: [1])
            }
            _ = try await ledger.accept(submissions)
            var sealed = 0
            while sealed < 30 { sealed += try await ledger.seal().sealed.count }
            var runs: [String: Int] = [:]
            var asking = ["a", "b", "c"]
            while sealed > 0 {
                var claimed: (worker: String, batch: Batch)?
                for worker in asking {
                    if let batch = try await ledger.claim(
                        worker: worker, lease: .hours(1), atMost: 1)
                    {
                        #expect(claimed == nil)
                        claimed = (worker, batch)
                    }
                }
                guard let (worker, batch) = claimed else { continue }
                _ = try await ledger.commit(
                    BatchCommit(
                        batch: batch.number, token: batch.token, cases: batch.cases.map(\.number),
                        outcomeIDs: batch.cases.map { UUID(high: 9, low: UInt64($0.number)) },
                        results: batch.cases.map { _ in .report([1]) },
                        dataAsOf: Timestamp(microseconds: 0), sinks: [], took: .zero))
                runs[worker, default: 0] += 1
                asking = [worker] + asking.filter { $0 != worker }
                sealed -= 1
            }
            #expect(runs == ["a": 10, "b": 10, "c": 10])
        }
    }
}

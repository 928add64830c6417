import Batching
import Dispatch
import Ledger
import PipelineCore
import PipelineTesting
import Postgres
import Testing

@testable import PostgresLedger

@Suite("The ledger on PostgreSQL, when things break")
struct PostgresFaultTests {
    func stage(_ trigger: Trigger, maxBatch: Int = 20) -> LedgerStage {
        LedgerStage(
            pipeline: "p", stage: "s",
            rule: BatchingRule(trigger: trigger, maxBatch: maxBatch, minInterval: .zero),
            ruleText: "r", revision: nil, sla: .hours(1))
    }

    func chunk(_ number: Int, of source: String, random: RandomSource) -> Submissions {
        let step = PositionAdvance(
            source: source, partition: 0, expected: Int64(number) * 10,
            next: Int64(number + 1) * 10)
        var submissions = Submissions(advances: [step])
        for _ in 0..<10 {
            let id = random.uuid()
            submissions.append(
                id: id, digest: Digest(high: id.high, low: 1), deadline: nil,
                parameters: id.bytes[...])
        }
        return submissions
    }

    /// Repeats `body` while its connections are being killed.
    func persisting<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        while true {
            do { return try await body() } catch let error as PipelineError
                where error.disposition == .retryable
            {}
        }
    }

    /// Hands a chunk in until it is answered, saying each time what became of no answer.
    func persisting(
        _ chunk: Submissions, into ledger: any Ledger, unanswered: [PositionAdvance] = []
    ) async throws {
        var chunk = chunk
        chunk.unanswered = unanswered
        while true {
            do {
                _ = try await ledger.accept(chunk)
                return
            } catch let error as PipelineError where error.disposition == .retryable {
                if chunk.unanswered.isEmpty { chunk.unanswered = chunk.advances }
            }
        }
    }

    @Test("a row that somebody else has changed is an error, and the others can be read")
    func foreignRow() async throws {
        try await PostgresTestDatabase.withLedgers { database, provider in
            let ledger = try provider.ledger(for: stage(.count(1), maxBatch: 1))
            var submissions = Submissions()
            let ids = (1...2).map { UUID(high: 1, low: $0) }
            for id in ids {
                submissions.append(
                    id: id, digest: Digest(high: 0, low: id.low), deadline: nil, parameters: [1])
            }
            _ = try await ledger.accept(submissions)
            _ = try await ledger.seal()
            let batch = try #require(try await ledger.claim(worker: "w", lease: .seconds(60)))
            _ = try await ledger.commit(
                BatchCommit(
                    batch: batch.number, token: batch.token, cases: batch.cases.map(\.number),
                    outcomeIDs: batch.cases.map { UUID(high: 9, low: UInt64($0.number)) },
                    results: batch.cases.map { _ in .report([1]) },
                    dataAsOf: Timestamp(microseconds: 0), sinks: ["a"], took: .zero))
            let pool = try database.pool(connections: 1)
            try await pool.withConnection {
                _ = try $0.query("update penstock.outcomes set state = 'x'")
            }
            await pool.close()
            let changed = batch.cases[0].id
            for read in [
                { _ = try await ledger.snapshots(of: [changed]) },
                { _ = try await ledger.claimDelivery(sink: "a", worker: "w", lease: .hours(1)) },
            ] as [() async throws -> Void] {
                let error = await #expect(throws: PipelineError.self) { try await read() }
                #expect(error?.code == "store-damaged" && error?.disposition == .retryable)
                #expect(error?.message.contains("\(changed)") ?? false)
            }
            let other = try #require(ids.first { $0 != changed })
            #expect(try await ledger.snapshots(of: [other])[other] != nil)
        }
    }

    @Test("a replay that is broken off opens none of its cases")
    func brokenReplay() async throws {
        try await PostgresTestDatabase.withLedgers { database, provider in
            let ledger = try provider.ledger(for: stage(.count(10), maxBatch: 10))
            let random = RandomSource()
            _ = try await ledger.positions(of: "t", initial: [0: 0])
            let submissions = chunk(0, of: "t", random: random)
            _ = try await ledger.accept(submissions)
            _ = try await ledger.seal()
            try await generate(ledger, random)
            let batch = try #require(try await ledger.batches(BatchSelection(), limit: 1).first)
            let pool = try database.pool(connections: 1)
            try await pool.withConnection {
                try $0.run(
                    """
                    alter table penstock.batches add constraint broken check (closed_by <> 'replay')
                    """)
            }
            await #expect(throws: PipelineError.self) {
                _ = try await ledger.replay(batch: batch.number)
            }
            for id in submissions.ids {
                #expect(try await ledger.history(of: id)?.attempts.map(\.revision) == [1])
            }
            try await pool.withConnection {
                try $0.run("alter table penstock.batches drop constraint broken")
            }
            await pool.close()
            #expect(try await ledger.replay(batch: batch.number).replayed == 10)
        }
    }

    @Test("with backends killed at random no case is lost, doubled, or answered twice")
    func randomKills() async throws {
        try await PostgresTestDatabase.withLedgers { database, provider in
            let ledger = try provider.ledger(for: stage(.any([.count(20), .manual])))
            let killer = try database.pool(connections: 1)
            let random = RandomSource()
            let sources = ["a", "b"]
            let chunks = Dictionary(
                uniqueKeysWithValues: sources.map { source in
                    (source, (0..<60).map { chunk($0, of: source, random: random) })
                })
            for source in sources { _ = try await ledger.positions(of: source, initial: [0: 0]) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    var kills = 0
                    while !Task.isCancelled {
                        try await database.terminateBackend(using: killer)
                        kills += 1
                    }
                    #expect(kills > 10)
                }
                try await withThrowingTaskGroup(of: Void.self) { work in
                    for source in sources {
                        work.addTask {
                            for chunk in chunks[source] ?? [] {
                                try await persisting(chunk, into: ledger)
                                _ = try await persisting { try await ledger.seal() }
                                try await generate(ledger, random)
                            }
                        }
                    }
                    try await work.waitForAll()
                }
                group.cancelAll()
                try await group.waitForAll()
            }
            await killer.close()
            // The last signal may still be on its way.
            _ = try await persisting { try await ledger.overview() }
            _ = try await persisting { try await ledger.overview() }
            try await finish(ledger, random)
            try await check(ledger, chunks.values.flatMap { $0 }.flatMap(\.ids))
            for source in sources {
                try await #expect(ledger.positions(of: source, initial: [0: 0]) == [0: 600])
            }
        }
    }

    /// Claims one batch, if there is one, and commits it under whatever happens.
    private func generate(_ ledger: any Ledger, _ random: RandomSource) async throws {
        // A claim whose answer is lost keeps its lease, which has run out at once.
        let batch = try await persisting {
            try await ledger.claim(worker: "w", lease: .milliseconds(1))
        }
        guard let batch else { return }
        let commit = BatchCommit(
            batch: batch.number, token: batch.token, cases: batch.cases.map(\.number),
            outcomeIDs: batch.cases.map { _ in random.uuid() },
            results: batch.cases.map { .report($0.parameters) },
            dataAsOf: Timestamp(microseconds: 0), sinks: ["s"], took: .milliseconds(1))
        do {
            _ = try await persisting { try await ledger.commit(commit) }
        } catch let error as PipelineError where error.code == "lease-lost" {
            return  // the other worker has it
        }
    }

    private func finish(_ ledger: any Ledger, _ random: RandomSource) async throws {
        try await ledger.requestFlush()
        while try await !ledger.seal().sealed.isEmpty {}
        while try await ledger.overview().openBatches > 0 { try await generate(ledger, random) }
    }

    private func check(_ ledger: any Ledger, _ ids: [UUID]) async throws {
        let snapshots = try await ledger.snapshots(of: ids)
        #expect(snapshots.count == ids.count)
        #expect(snapshots.values.allSatisfy { $0.state == .succeeded })
        #expect(snapshots.values.allSatisfy { $0.outcome?.report == $0.id.bytes[...] })
        var delivered: [UUID] = []
        while let batch = try await ledger.claimDelivery(sink: "s", worker: "w", lease: .hours(1)) {
            delivered += batch.outcomes.map(\.caseID)
        }
        #expect(delivered.count == ids.count)
        #expect(Set(delivered) == Set(ids))
    }

    @Test("while another process holds the stage, sealing comes back at once and soon again")
    func busyStage() async throws {
        try await PostgresTestDatabase.withLedgers { database, provider in
            let ledger = try provider.ledger(for: stage(.maxAge(.zero)))
            try await ledger.register()
            _ = try await ledger.accept(
                {
                    var chunk = chunk(0, of: "a", random: RandomSource())
                    chunk.advances = []
                    return chunk
                }())
            let other = try database.pool(connections: 1)
            let (locked, lock) = AsyncStream<Void>.makeStream()
            let hasLooked = DispatchSemaphore(value: 0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await other.withTransaction { connection in
                        try connection.query("select from penstock.stages for update")
                        lock.yield()
                        // On the connection's own thread: the lock stays until the ledger has
                        // looked.
                        hasLooked.wait()
                    }
                }
                for await _ in locked { break }
                defer { hasLooked.signal() }
                let result = try await ledger.seal()
                hasLooked.signal()
                #expect(result.sealed.isEmpty && result.open.count == 10)
                #expect(result.next.map { $0 > result.clock } == true)
                try await group.waitForAll()
            }
            try await #expect(ledger.seal().sealed.map(\.count) == [10])
            await other.close()
        }
    }
}

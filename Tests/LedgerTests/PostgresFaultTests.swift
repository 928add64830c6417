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
    private func stage(_ trigger: Trigger, maxBatch: Int = 20) -> LedgerStage {
        LedgerStage(
            pipeline: "p", stage: "s",
            rule: BatchingRule(trigger: trigger, maxBatch: maxBatch, minInterval: .zero),
            ruleText: "r", revision: nil, sla: .hours(1))
    }

    private func chunk(_ number: Int, of source: String, random: RandomSource) -> Submissions {
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
    private func persisting<T: Sendable>(_ body: () async throws -> T) async throws -> T {
        while true {
            do { return try await body() } catch let error as PipelineError
                where error.disposition == .retryable
            {}
        }
    }

    /// Hands a chunk in until it is answered, saying each time what became of no answer.
    private func persisting(
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

    @Test("a chunk whose answer was lost is recognised when it comes again, and only then")
    func lostAnswer() async throws {
        try await PostgresTestDatabase.withLedgers { _, provider in
            let stage = stage(.manual)
            let ledger = try #require(try provider.ledger(for: stage) as? PostgresLedger)
            _ = try await ledger.positions(of: "a", initial: [0: 0])
            let chunk = chunk(0, of: "a", random: RandomSource())
            _ = try await ledger.accept(chunk)
            let fenced = await #expect(throws: PipelineError.self) {
                try await ledger.accept(chunk)
            }
            #expect(fenced?.code == "position-moved" && fenced?.disposition == .fenced)
            var again = chunk
            again.unanswered = chunk.advances
            let counts = AcceptedCounts(new: 10, reopened: 0, repeated: 0)
            try await #expect(ledger.accept(again) == .accepted(counts))
            try await #expect(ledger.overview().open.count == 10)
            // Once it has been answered, it is as before.
            await #expect(throws: PipelineError.self) { try await ledger.accept(chunk) }
        }
    }

    @Test("a window whose answers were lost is recognised chunk by chunk when it comes again")
    func lostAnswersOfAWindow() async throws {
        try await PostgresTestDatabase.withLedgers { _, provider in
            let ledger = try #require(try provider.ledger(for: stage(.manual)) as? PostgresLedger)
            let random = RandomSource()
            _ = try await ledger.positions(of: "a", initial: [0: 0])
            let chunks = (0..<3).map { chunk($0, of: "a", random: random) }
            for chunk in chunks[..<2] { _ = try await ledger.accept(chunk) }
            // The first two were accepted, the third was not.
            for (index, chunk) in chunks.enumerated() {
                var chunk = chunk
                chunk.unanswered = chunks[index...].flatMap(\.advances)
                let counts = AcceptedCounts(new: 10, reopened: 0, repeated: 0)
                try await #expect(ledger.accept(chunk) == .accepted(counts))
            }
            try await #expect(ledger.overview().open.count == 30)
            try await #expect(ledger.positions(of: "a", initial: [0: 0]) == [0: 30])
        }
    }

    @Test("with backends killed at random windows lose and double nothing, and fence nobody")
    func randomKillsOfWindows() async throws {
        try await PostgresTestDatabase.withLedgers { database, provider in
            let ledger = try provider.ledger(for: stage(.manual))
            let killer = try database.pool(connections: 1)
            _ = try await ledger.positions(of: "a", initial: [0: 0])
            let chunks = stride(from: 0, to: 3000, by: 10).map { (first: Int) -> Chunk in
                Chunk.testing(first..<first + 10, source: "a", at: Int64(first)).chunk
            }
            let waiting = ScriptedChunks(chunks)
            let window = ChunkWindow {
                waiting.next()
            } accepted: { chunk, _ in
                chunk.acknowledgement.settle(.acknowledged)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled { try await database.terminateBackend(using: killer) }
                }
                while waiting.count > 0 {
                    try? await ledger.accept(from: window)
                    for chunk in window.left() {
                        _ = try await persisting {
                            do {
                                _ = try await ledger.accept(
                                    try window.submissions(of: chunk, chunk.records))
                            } catch let error as PipelineError
                                where error.disposition == .retryable
                            {
                                window.lostAnswer(of: chunk)
                                throw error
                            }
                        }
                        chunk.acknowledgement.settle(.acknowledged)
                        window.forget(chunk)
                    }
                }
                group.cancelAll()
                try await group.waitForAll()
            }
            await killer.close()
            let pending = try await persisting { try await ledger.overview().open.count }
            #expect(pending == 3000)
            let positions = try await persisting {
                try await ledger.positions(of: "a", initial: [0: 0])
            }
            #expect(positions == [0: 3000])
        }
    }

    @Test("a chunk whose connection is killed is remembered until it has been answered")
    func remembersKilledChunk() async throws {
        try await PostgresTestDatabase.withLedgers { database, provider in
            let ledger = try provider.ledger(for: stage(.manual))
            let (chunk, _) = Chunk.testing(0..<10, source: "a", at: 0)
            let window = ChunkWindow { chunk, _ in chunk.acknowledgement.settle(.acknowledged) }
            window.add(chunk)
            _ = try await ledger.positions(of: "a", initial: [0: 0])
            let other = try database.pool(connections: 1)
            let (locked, lock) = AsyncStream<Void>.makeStream()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await other.withTransaction { connection in
                        try connection.query("select from penstock.positions for update")
                        lock.yield()
                        var killed = 0
                        while killed == 0 {
                            killed = try connection.query(
                                """
                                select pg_terminate_backend(pid) from pg_stat_activity
                                where datname = current_database() and wait_event_type = 'Lock'
                                """
                            ).rowCount
                        }
                    }
                }
                for await _ in locked { break }
                let error = await #expect(throws: PipelineError.self) {
                    try await ledger.accept(from: window)
                }
                #expect(error?.disposition == .retryable && error?.code == "store-unavailable")
                try await group.waitForAll()
            }
            #expect(window.left().map(\.numbers) == [chunk.numbers])
            let again = try window.submissions(of: chunk, chunk.records)
            #expect(again.unanswered == chunk.advances)
            let counts = AcceptedCounts(new: 10, reopened: 0, repeated: 0)
            try await #expect(ledger.accept(again) == .accepted(counts))
            window.forget(chunk)
            try #expect(window.submissions(of: chunk, chunk.records).unanswered.isEmpty)
            await other.close()
        }
    }

    @Test("a lost answer does not excuse a position that another process has moved on")
    func zombieWithLostAnswer() async throws {
        try await PostgresTestDatabase.withLedgers { _, provider in
            let ledger = try #require(try provider.ledger(for: stage(.manual)) as? PostgresLedger)
            let random = RandomSource()
            _ = try await ledger.positions(of: "a", initial: [0: 0])
            let first = chunk(0, of: "a", random: random)
            _ = try await ledger.accept(first)
            _ = try await ledger.accept(chunk(1, of: "a", random: random))
            var again = first
            again.unanswered = first.advances
            let error = await #expect(throws: PipelineError.self) {
                try await ledger.accept(again)
            }
            #expect(error?.code == "position-moved")
        }
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

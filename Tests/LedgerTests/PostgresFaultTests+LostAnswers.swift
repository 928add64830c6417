import Batching
import Ledger
import PipelineCore
import PipelineTesting
import Postgres
import Testing

@testable import PostgresLedger

/// Chunks that were handed in, and of which nobody knows whether they were accepted.
extension PostgresFaultTests {
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
}

import PipelineCore
import Postgres
import Testing

@Suite("The pool, when tasks are cancelled")
struct PoolCancellationTests {
    @Test("a task cancelled while it waits leaves the queue")
    func cancelsWaiting() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            let (started, start) = AsyncStream<Void>.makeStream()
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await pool.withConnection { connection in
                        start.yield()
                        try connection.query("select pg_sleep(0.3)")
                    }
                    return true
                }
                for await _ in started { break }
                await withThrowingTaskGroup(of: Void.self) { waiting in
                    waiting.addTask { try await pool.withConnection { _ in } }
                    waiting.cancelAll()
                    await #expect(throws: CancellationError.self) { try await waiting.waitForAll() }
                }
                try await #expect(group.next() == true)
            }
            try await #expect(pool.withConnection { try $0.query("select 1").int(0, 0) } == 1)
            await pool.close()
        }
    }

    @Test("a statement that outlasts the grace is cancelled on the server")
    func cancelsRunning() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1, grace: .milliseconds(20))
            let (started, start) = AsyncStream<Void>.makeStream()
            let clock = ContinuousClock()
            let begun = clock.now
            await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await pool.withConnection { connection in
                        try connection.query("select 1")
                        start.yield()
                        try connection.query("select pg_sleep(30)")
                    }
                }
                for await _ in started { break }
                group.cancelAll()
                await #expect(throws: CancellationError.self) { try await group.waitForAll() }
            }
            #expect(clock.now - begun < .seconds(25))
            let running = try await pool.withConnection {
                try $0.query(
                    """
                    select count(*) from pg_stat_activity
                    where query like '%pg_sleep(30)' and state = 'active' and pid <> pg_backend_pid()
                    """
                ).int(0, 0)
            }
            #expect(running == 0)
            await pool.close()
        }
    }

    @Test("a statement that ends within the grace keeps its result")
    func finishesWithinGrace() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            try await pool.withConnection { try $0.run("CREATE TABLE t(n int)") }
            let (started, start) = AsyncStream<Void>.makeStream()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await pool.withConnection { connection in
                        start.yield()
                        try connection.query("insert into t select 1 from pg_sleep(0.05)")
                    }
                }
                for await _ in started { break }
                group.cancelAll()
                try await group.waitForAll()
            }
            try await #expect(pool.withConnection { try $0.query("select n from t").rowCount } == 1)
            await pool.close()
        }
    }
}

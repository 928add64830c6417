import PipelineCore
import Postgres
import Testing

@Suite("The pool")
struct PoolTests {
    @Test("never has more connections than its limit, and serves everybody")
    func bounded() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 3)
            let backends = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<60 {
                    group.addTask {
                        try await pool.withConnection {
                            try $0.query("select pg_backend_pid() from pg_sleep(0.002)").int64(0, 0)
                        }
                    }
                }
                return try await group.reduce(into: Set<Int64>()) { $0.insert($1) }
            }
            #expect(backends.count <= 3)
            await pool.close()
        }
    }

    @Test("a killed backend costs its statement, and the next loan has a new connection")
    func reconnects() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            let error = try await failure {
                try await pool.withConnection {
                    _ = try $0.query("select pg_terminate_backend(pg_backend_pid(), 1000)")
                }
            }
            #expect(error.disposition == .retryable && error.code == "store-unavailable")
            try await #expect(pool.withConnection { try $0.query("select 1").int(0, 0) } == 1)
            await pool.close()
        }
    }

    @Test("a connection that died while idle is replaced before it is lent")
    func replacesIdle() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            let killer = try database.pool(connections: 1)
            let pid = try await pool.withConnection {
                try $0.query("select pg_backend_pid()").int64(0, 0)
            }
            try await database.terminateBackends(using: killer)
            let next = try await pool.withConnection {
                try $0.query("select pg_backend_pid()").int64(0, 0)
            }
            #expect(next != pid)
            await pool.close()
            await killer.close()
        }
    }

    @Test("a transaction left open by a loan does not reach the next borrower")
    func dropsOpenTransactions() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            try await pool.withConnection { try $0.run("BEGIN; CREATE TEMP TABLE t()") }
            let fresh = try await pool.withConnection {
                try $0.query("select to_regclass('pg_temp.t') is null").bool(0, 0)
            }
            #expect(fresh)
            await pool.close()
        }
    }

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

    @Test("closing waits for loans and refuses new ones")
    func closes() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            let (started, start) = AsyncStream<Void>.makeStream()
            try await withThrowingTaskGroup(of: Int.self) { group in
                group.addTask {
                    try await pool.withConnection { connection in
                        start.yield()
                        return try connection.query("select 5 from pg_sleep(0.1)").int(0, 0)
                    }
                }
                for await _ in started { break }
                await pool.close()
                try await #expect(group.next() == 5)
            }
            let error = try await failure { try await pool.withConnection { _ in } }
            #expect(error.code == "store-closed")
        }
    }
}

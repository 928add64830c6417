import Dispatch
import Metrics
import PipelineCore
import Postgres
import Synchronization
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
            #expect(error.disposition == .retryable && error.code == .storeUnavailable)
            try await #expect(pool.withConnection { try $0.query("select 1").int(0, 0) } == 1)
            await pool.close()
        }
    }

    @Test("what the pool does is counted, under the purpose and the server alone")
    func counts() async throws {
        try await TestDatabase.with { database in
            let metrics = MetricRegistry()
            let pool = try database.pool(connections: 2, metrics: metrics)
            let server = pool.server
            func statements(_ purpose: String, _ count: Int) -> String {
                "db_client_operation_duration_seconds_count{db_operation_name=\"\(purpose)\","
                    + "db_system_name=\"postgresql\",server_address=\"\(server)\"} \(count)\n"
            }
            @Sendable func connections(_ state: String, _ count: Int) -> String {
                "db_client_connection_count{db_client_connection_pool_name=\"\(server)\","
                    + "db_client_connection_state=\"\(state)\"} \(count)\n"
            }
            func lost(_ count: Int) -> String {
                "penstock_postgres_lost_connections_total{server_address=\"\(server)\"} \(count)\n"
            }
            @Sendable func expect(_ lines: String..., location: SourceLocation = #_sourceLocation) {
                let told = metrics.exposition()
                for line in lines {
                    #expect(told.contains(line), "\(line)\(told)", sourceLocation: location)
                }
            }
            expect(statements("work", 0), statements("reading", 0), lost(0))
            expect(connections("idle", 0), connections("used", 0))
            try await pool.withConnection(for: .reading) { connection in
                _ = try connection.query("select 1")
                _ = try connection.pipeline {
                    try $0.query("select 1"); try $0.query("select 2")
                }
                try connection.run("select 1; select 2")
                var runs = 3
                try connection.stream("select 1") { _ in
                    runs -= 1
                    return runs >= 0
                } answered: { _ in
                }
            }
            expect(statements("reading", 6), statements("work", 0), connections("idle", 1))
            try await pool.withTransaction { connection in
                _ = try connection.query("select 1")
                expect(connections("idle", 0), connections("used", 1))
            }
            expect(statements("work", 3), connections("used", 0), lost(0))
            _ = try await failure {
                try await pool.withConnection {
                    _ = try $0.query("select pg_terminate_backend(pg_backend_pid(), 1000)")
                }
            }
            expect(lost(1), connections("idle", 0))
            // The password is nowhere.
            #expect(!metrics.exposition().contains("@"))
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

    @Test(
        "a session that says its server is not the one any more is not used again, nor any other",
        arguments: ["25006", "57P01", "57P03", "08006"])
    func givesServerUp(state: String) async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 3)
            let before = try await backends(of: pool, 3)
            let error = try await failure {
                try await pool.withConnection { connection in
                    try connection.run(
                        "DO \("begin raise exception 'boom' using errcode = '\(state)'; end")")
                }
            }
            #expect(error.disposition == .retryable)
            let after = try await backends(of: pool, 3)
            #expect(before.count == 3 && before.isDisjoint(with: after))
            await pool.close()
        }
    }

    @Test("an error of a statement leaves its session in use")
    func keepsSession() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            let before = try await backends(of: pool, 1)
            for sql in ["select 1/0", "select nothing"] {
                _ = try await failure { try await pool.withConnection { _ = try $0.query(sql) } }
            }
            try await #expect(backends(of: pool, 1) == before)
            await pool.close()
        }
    }

    @Test("tries the named hosts in turn, for one that takes writes")
    func triesHosts() async throws {
        try await TestDatabase.with { database in
            let good = try database.pool()
            let readOnly: PostgresScript = "default_transaction_read_only = on"
            // Two names of one server: by the second, sessions are told to take no writes.
            try await good.withConnection { connection in
                try connection.run("ALTER DATABASE \(identifier: database.name) SET \(readOnly)")
            }
            let hosts = try database.hosts("127.0.0.1:1", database.hostAndPort)
            let refused = try await failure {
                try await PostgresPool(hosts).withConnection { _ in }
            }
            #expect(refused.disposition == .retryable)
            #expect(
                refused.message.contains("127.0.0.1:1") && refused.message.contains("no writes"))
            try await good.withConnection { connection in
                let reset: PostgresScript = "RESET default_transaction_read_only"
                try connection.run("ALTER DATABASE \(identifier: database.name) \(reset)")
            }
            let pool = try PostgresPool(hosts)
            try await #expect(pool.withConnection { try $0.query("select 1").int(0, 0) } == 1)
            await pool.close()
            await good.close()
        }
    }

    @Test("gives connections back that nobody has used for a while")
    func givesBackIdle() async throws {
        try await TestDatabase.with { database in
            let watcher = try database.pool(connections: 1)
            let pool = try PostgresPool(
                database.address,
                options: .init(connections: 3, idleLimit: .milliseconds(100)))
            let pids = try await backends(of: pool, 3)
            var left = pids.count
            while left > 0 {
                left = try await watcher.withConnection { connection in
                    try connection.query(
                        """
                        select count(*) from pg_stat_activity, pg_sleep(0.05)
                        where pid = any($1::int[])
                        """
                    ) { $0.add(int4s: pids.map { Int32($0) }) }.int(0, 0)
                }
            }
            try await #expect(backends(of: pool, 1).isDisjoint(with: pids))
            await pool.close()
            await watcher.close()
        }
    }

    @Test("lives with fewer connections where the role may have no more, and says so once")
    func livesWithFewer() async throws {
        try await TestDatabase.with { database in
            let administration = try database.pool(connections: 1)
            let role = "role_\(RandomSource().next())"
            try await administration.withConnection {
                try $0.run("CREATE ROLE \(identifier: role) LOGIN CONNECTION LIMIT 2")
            }
            var address = database.address
            address.properties["user"] = role
            let said = Mutex<[String]>([])
            let pool = try PostgresPool(
                address,
                options: .init(connections: 6) { line in said.withLock { $0.append(line.message) } }
            )
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<40 {
                    let purpose: PostgresPool.Purpose = index % 2 == 0 ? .work : .reading
                    group.addTask {
                        try await pool.withConnection(for: purpose) {
                            _ = try $0.query("select pg_sleep(0.01)")
                        }
                    }
                }
                try await group.waitForAll()
            }
            // It is told once nobody is connecting any more.
            while said.withLock({ $0.isEmpty }) {
                try await pool.withConnection { _ = try $0.query("select pg_sleep(0.1)") }
            }
            #expect(said.withLock { $0.count } == 1)
            #expect(said.withLock { $0.first?.contains("2 of the 6 connections") } == true)
            await pool.close()
            // With none to be had it is an outage, not a wait for ever.
            try await administration.withConnection {
                try $0.run("ALTER ROLE \(identifier: role) CONNECTION LIMIT 0")
            }
            let none = try PostgresPool(address)
            let error = try await failure { try await none.withConnection { _ in } }
            #expect(error.disposition == .retryable && error.code == .storeBusy)
            await none.close()
            try await administration.withConnection {
                try $0.run("DROP ROLE \(identifier: role)")
            }
            await administration.close()
        }
    }

    @Test("pools of one address share its connections, each with its own properties")
    func sharedAddress() async throws {
        try await TestDatabase.with { database in
            let places = PostgresPlaces()
            func pool(_ name: String, _ connections: String?) throws -> PostgresPool {
                var address = database.address
                address.properties["application_name"] = name
                address.properties["connections"] = connections
                return try PostgresPool(address, among: places)
            }
            let (first, second) = (try pool("first", nil), try pool("second", "2"))
            let counts = try await withThrowingTaskGroup(of: (String, Int64).self) { group in
                for index in 0..<40 {
                    let pool = index % 2 == 0 ? first : second
                    group.addTask {
                        try await pool.withConnection {
                            let answer = try $0.query(
                                """
                                select current_setting('application_name'), (
                                  select count(*) from pg_stat_activity
                                  where application_name in ('first', 'second'))
                                from pg_sleep(0.01)
                                """)
                            return (answer.text(0, 0), answer.int64(0, 1))
                        }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(counts.count { $0.0 == "first" } == 20)
            // One that is being closed may be seen beside the two.
            #expect(counts.count { $0.1 <= 2 } > 30 && counts.allSatisfy { $0.1 <= 4 })
            await first.close()
            let error = try await failure { try await first.withConnection { _ in } }
            #expect(error.code == .storeClosed)
            try await #expect(second.withConnection { try $0.query("select 1").int(0, 0) } == 1)
            await second.close()
        }
    }

    @Test("settings of a loan hold in each of its transactions, and end with it")
    func localSettings() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            @Sendable func jit(_ connection: PostgresConnection) throws -> String {
                try connection.query("select current_setting('jit')").text(0, 0)
            }
            try await pool.withConnection(settings: ["jit": "off"]) { connection in
                try #expect(jit(connection) == "off")
                try #expect(connection.transaction { try jit(connection) } == "off")
                let piped = try connection.pipeline {
                    try $0.query("select current_setting('jit')")
                }
                #expect(piped.count == 1 && piped[0].text(0, 0) == "off")
                let copied = try connection.copy("select current_setting('jit')", from: [])
                #expect(copied.count == 1 && copied[0].text(0, 0) == "off")
            }
            try await pool.withConnection { try #expect(jit($0) == "on") }
            await pool.close()
        }
    }

    /// The process ids of so many connections that are lent at once.
    private func backends(of pool: PostgresPool, _ count: Int) async throws -> Set<Int64> {
        let all = Barrier(count)
        return try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<count {
                group.addTask {
                    try await pool.withConnection { connection in
                        all.arrive()
                        return try connection.query("select pg_backend_pid()").int64(0, 0)
                    }
                }
            }
            return try await group.reduce(into: []) { $0.insert($1) }
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
            #expect(error.code == .storeClosed)
        }
    }
}

/// Lets threads go on once all are there.
private final class Barrier: Sendable {
    private let missing: Mutex<Int>
    private let all = DispatchSemaphore(value: 0)

    init(_ count: Int) { missing = Mutex(count) }

    func arrive() {
        let isLast = missing.withLock { missing in
            missing -= 1
            return missing == 0
        }
        if isLast { all.signal() }
        all.wait()
        all.signal()
    }
}

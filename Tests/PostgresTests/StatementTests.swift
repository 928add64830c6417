import PipelineCore
import Postgres
import Testing

@Suite("Statements")
struct StatementTests {
    @Test("a transaction that throws leaves nothing, one that returns everything")
    func transactions() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            try await pool.withConnection { try $0.run("CREATE TABLE t(n bigint PRIMARY KEY)") }
            await #expect(throws: CancellationError.self) {
                try await pool.withTransaction { connection in
                    try connection.query("insert into t values ($1)") { $0.add(int8: 1) }
                    throw CancellationError()
                }
            }
            try await pool.withTransaction { connection in
                try connection.query("insert into t values ($1)") { $0.add(int8: 2) }
            }
            let rows = try await pool.withConnection { try $0.query("select n from t").int64(0, 0) }
            #expect(rows == 2)
            await pool.close()
        }
    }

    @Test("the same text is prepared once, with other types again")
    func preparesOnce() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            let count = try await pool.withConnection { connection in
                for n in 0..<5 { try connection.query("select $1") { $0.add(int8: Int64(n)) } }
                try connection.query("select $1") { $0.add(text: "x") }
                let count = try connection.query("select count(*) from pg_prepared_statements")
                return count.int(0, 0)
            }
            #expect(count == 3)
            await pool.close()
        }
    }

    @Test("more statements than are kept prepared still work")
    func manyStatements() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            try await pool.withConnection { connection in
                for n in 0..<600 { try #expect(connection.query("select \(n)").int(0, 0) == n) }
            }
            await pool.close()
        }
    }

    @Test("a pipeline answers each statement, and is one transaction")
    func pipelines() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            try await pool.withConnection { connection in
                try connection.run("CREATE TABLE t(n bigint PRIMARY KEY)")
                let results = try connection.pipeline { pipeline in
                    for n in 0..<100 {
                        try pipeline.query("insert into t values ($1)") { $0.add(int8: Int64(n)) }
                    }
                    try pipeline.query("select count(*) from t")
                }
                #expect(results.count == 101)
                #expect(results[100].int(0, 0) == 100)
                #expect(results[0].affectedRows == 1)
                let error = #expect(throws: PipelineError.self) {
                    try connection.pipeline { pipeline in
                        try pipeline.query("insert into t values ($1)") { $0.add(int8: 1000) }
                        try pipeline.query("insert into t values ($1)") { $0.add(int8: 1) }
                        try pipeline.query("insert into t values ($1)") { $0.add(int8: 1001) }
                    }
                }
                #expect(error?.code == .storeConstraint)
                #expect(error?.postgres?.constraint == "t_pkey")
                // A new statement behind others.
                _ = try connection.pipeline { pipeline in
                    try pipeline.query("insert into t values ($1)") { $0.add(int8: 2000) }
                    try pipeline.query("delete from t where n = $1") { $0.add(int8: 0) }
                }
                try #expect(connection.query("select count(*) from t").int(0, 0) == 100)
            }
            await pool.close()
        }
    }

    @Test("a pipeline in a transaction prepares what is new, and is undone with it")
    func pipelineInTransaction() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            try await pool.withConnection { try $0.run("CREATE TABLE t(n bigint PRIMARY KEY)") }
            for isKept in [false, true] {
                let work = {
                    try await pool.withTransaction { connection in
                        let results = try connection.pipeline { pipeline in
                            for n in 0..<Int64(3) {
                                try pipeline.query("insert into t values ($1)") {
                                    $0.add(int8: n)
                                }
                            }
                            try pipeline.query("select count(*), \(isKept) from t")
                        }
                        #expect(results.count == 4 && results[3].int(0, 0) == 3)
                        if !isKept { throw CancellationError() }
                    }
                }
                if isKept {
                    try await work()
                } else {
                    await #expect(throws: CancellationError.self) { try await work() }
                }
            }
            let count = try await pool.withConnection { connection in
                try connection.query("select count(*) from t").int(0, 0)
            }
            #expect(count == 3)
            await pool.close()
        }
    }

    @Test("a pipeline whose body throws has no effect, and the connection stays good")
    func abandonedPipeline() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            try await pool.withConnection { connection in
                try connection.run("CREATE TABLE t(n bigint PRIMARY KEY)")
                #expect(throws: CancellationError.self) {
                    try connection.pipeline { pipeline in
                        try pipeline.query("insert into t values ($1)") { $0.add(int8: 1) }
                        throw CancellationError()
                    }
                }
                try #expect(connection.query("select count(*) from t").int(0, 0) == 0)
            }
            await pool.close()
        }
    }

    @Test("a COPY without a source is an error, not a hang")
    func copyWithoutSource() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            let error = try await failure {
                try await pool.withConnection { connection in
                    try connection.run("CREATE TABLE t(n int); COPY t FROM STDIN (FORMAT binary)")
                }
            }
            #expect(error.postgres?.sqlState == "57014")
            await pool.close()
        }
    }

    @Test("large parameters and answers cross in one pipeline")
    func largePipelines() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            let megabyte = Bytes(repeating: 7, count: 1 << 20)
            let sizes = try await pool.withConnection { connection in
                try connection.pipeline { pipeline in
                    for _ in 0..<16 { try pipeline.query("select $1") { $0.add(bytea: megabyte) } }
                }.map { $0.bytes(0, 0).count }
            }
            #expect(sizes == Array(repeating: 1 << 20, count: 16))
            await pool.close()
        }
    }

    @Test("a conditional update and two COPYs in one message take effect together or not at all")
    func copies() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            try await pool.withConnection { connection in
                try connection.run(
                    """
                    CREATE TABLE p(source text, next bigint); INSERT INTO p VALUES ('a', 0);
                    CREATE TABLE d(n int8, t text);
                    CREATE TABLE e(at timestamptz, id uuid, kind "char", c int4)
                    """)
                func ingest(expected: Int64, next: Int64) throws {
                    try connection.copy(
                        """
                        WITH p AS (
                          UPDATE p SET next = \(next) WHERE source = \("a") AND next = \(expected)
                          RETURNING 1)
                        SELECT 1 / count(*) FROM p;
                        COPY d(n, t) FROM STDIN (FORMAT binary);
                        COPY e(at, id, kind, c) FROM STDIN (FORMAT binary)
                        """,
                        from: [
                            { writer in
                                for n in 0..<1000 {
                                    writer.row(columns: 2)
                                    writer.write(int8: Int64(n))
                                    writer.write(text: n == 3 ? nil : "x\(n)")
                                }
                            },
                            { writer in
                                writer.row(columns: 4)
                                writer.write(timestamptz: Timestamp(microseconds: 5))
                                writer.write(uuid: UUID(high: 1, low: 2))
                                writer.write(char: UInt8(ascii: "P"))
                                writer.write(int4: 4)
                            },
                        ])
                }
                try ingest(expected: 0, next: 10)
                let zombie = #expect(throws: PipelineError.self) {
                    try ingest(expected: 0, next: 10)
                }
                #expect(zombie?.postgres?.sqlState == "22012")
                let counts = try connection.query(
                    """
                    select (select count(*) from d where t is not null), (select count(*) from e),
                      (select next from p)
                    """
                )
                #expect(counts.int(0, 0) == 999 && counts.int(0, 1) == 1 && counts.int(0, 2) == 10)
            }
            await pool.close()
        }
    }

    @Test("steps of a migration run once, also when two processes start together")
    func migrates() async throws {
        try await TestDatabase.with { database in
            let steps: [PostgresScript] = ["CREATE TABLE s.t(n int)", "INSERT INTO s.t VALUES (1)"]
            let pools = try (0..<2).map { _ in try database.pool() }
            let first = PostgresMigration(schema: "s", component: "c", steps: [steps[0]])
            try await pools[0].migrate(first)
            let second = PostgresMigration(schema: "s", component: "c", steps: steps)
            try await withThrowingTaskGroup { group in
                for pool in pools { group.addTask { try await pool.migrate(second) } }
                try await group.waitForAll()
            }
            let rows = try await pools[0].withConnection {
                try $0.query("select count(*) from s.t").int(0, 0)
            }
            #expect(rows == 1)
            let error = try await failure { try await pools[0].migrate(first) }
            #expect(error.code == .storeNewer && error.disposition == .fatal)
            for pool in pools { await pool.close() }
        }
    }
}

import Concurrency
import PipelineCore
import Postgres
import Synchronization
import Testing

@Suite("A stream of runs of one statement", .timeLimit(.minutes(5)))
struct StreamTests {
    private let insert = "insert into t values ($1)"

    /// A pool over a database with a table of distinct numbers.
    private func withTable(_ body: (TestDatabase, PostgresPool) async throws -> Void) async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool(connections: 1)
            try await pool.withConnection { try $0.run("CREATE TABLE t(n bigint PRIMARY KEY)") }
            try await body(database, pool)
            await pool.close()
        }
    }

    @Test("sends a run before the one ahead is answered, and no more than that")
    func sendsAhead() async throws {
        try await withTable { _, pool in
            let events = try await pool.withConnection { connection in
                var events: [String] = []
                var next: Int64 = 0
                try connection.stream(insert) { parameters in
                    if next == 4 { return false }
                    events.append("send \(next)")
                    parameters.add(int8: next)
                    next += 1
                    return true
                } answered: { answer in
                    events.append("answer \((try? answer.get().affectedRows) ?? -1)")
                }
                return events
            }
            #expect(
                events == [
                    "send 0", "send 1", "answer 1", "send 2", "answer 1", "send 3", "answer 1",
                    "answer 1",
                ])
        }
    }

    @Test("takes what comes while the last run is in flight")
    func latecomers() async throws {
        try await withTable { _, pool in
            let count = try await pool.withConnection { connection in
                var waiting: [Int64] = [0]
                var answers = 0
                try connection.stream(insert) { parameters in
                    guard let number = waiting.popLast() else { return false }
                    parameters.add(int8: number)
                    return true
                } answered: { _ in
                    answers += 1
                    if answers < 3 { waiting.append(Int64(answers)) }
                }
                return try connection.query("select count(*) from t").int(0, 0)
            }
            #expect(count == 3)
        }
    }

    @Test("makes each run a transaction: one that fails leaves the others as they are")
    func transactions() async throws {
        try await withTable { _, pool in
            let (codes, rows) = try await pool.withConnection { connection in
                var codes: [String] = []
                var numbers: [Int64] = [1, 2, 1, 3]
                try connection.stream(insert) { parameters in
                    if numbers.isEmpty { return false }
                    parameters.add(int8: numbers.removeFirst())
                    return true
                } answered: { answer in
                    if case .failure(let error as PipelineError) = answer {
                        codes.append(error.code.name)
                    } else {
                        codes.append("done")
                    }
                }
                return (codes, try connection.query("select count(*) from t").int(0, 0))
            }
            #expect(codes == ["done", "done", "store-constraint", "done"])
            #expect(rows == 3)
        }
    }

    @Test("crosses with large parameters and answers")
    func large() async throws {
        try await withTable { _, pool in
            let megabyte = Bytes(repeating: 7, count: 1 << 20)
            let sizes = try await pool.withConnection { connection in
                var sizes: [Int] = []
                var left = 16
                try connection.stream("select $1") { parameters in
                    if left == 0 { return false }
                    left -= 1
                    parameters.add(bytea: megabyte)
                    return true
                } answered: {
                    sizes.append((try? $0.get().bytes(0, 0).count) ?? 0)
                }
                return sizes
            }
            #expect(sizes == Array(repeating: 1 << 20, count: 16))
        }
    }

    @Test("throws when the connection breaks: the runs in flight are not answered")
    func brokenConnection() async throws {
        try await withTable { _, pool in
            let runs = Runs()
            let error = try await failure {
                try await pool.withConnection { connection in
                    try connection.stream(
                        "select case $1 when 1 then pg_terminate_backend(pg_backend_pid()) end"
                    ) { parameters in
                        parameters.add(int8: runs.send())
                        return true
                    } answered: { _ in
                        runs.answer()
                    }
                }
            }
            #expect(error.code == .storeUnavailable)
            #expect(runs.counts == (sent: 3, answered: 1))
            try await pool.withConnection { try #expect($0.query("select 1").int(0, 0) == 1) }
        }
    }

    @Test("begins no other run once its task is cancelled, and ends those that are in flight")
    func cancellation() async throws {
        try await withTable { _, pool in
            let runs = Runs()
            let task = Task { [insert] in
                try await pool.withConnection { connection in
                    try connection.stream(insert) { parameters in
                        parameters.add(int8: runs.send())
                        return true
                    } answered: { _ in
                        runs.answer()
                    }
                }
            }
            try await runs.haveBegun.wait()
            task.cancel()
            try await task.value
            let rows = try await pool.withConnection {
                try $0.query("select count(*) from t").int64(0, 0)
            }
            #expect(runs.counts == (sent: rows, answered: rows))
        }
    }
}

/// Counts the runs of a stream.
private final class Runs: Sendable {
    private let state = Mutex<(sent: Int64, answered: Int64)>((0, 0))
    let haveBegun = AsyncEvent()

    var counts: (sent: Int64, answered: Int64) { state.withLock { $0 } }

    /// The number of the run, from 0.
    func send() -> Int64 {
        state.withLock { state in
            state.sent += 1
            return state.sent - 1
        }
    }

    func answer() {
        state.withLock { $0.answered += 1 }
        haveBegun.set()
    }
}

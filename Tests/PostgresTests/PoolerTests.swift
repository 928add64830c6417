import PipelineCore
import Postgres
import Synchronization
import Testing

@Suite("Behind a pooler that gives each transaction another session", .timeLimit(.minutes(5)))
struct PoolerTests {
    @Test("many clients run the same statements, and none meets another's preparation")
    func statements() async throws {
        try await TestDatabase.throughPooler { database in
            let pools = try (0..<4).map { _ in try database.pool(connections: 4) }
            try await withThrowingTaskGroup(of: Int64.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        try await pools[number % 4].withConnection { connection in
                            let other = try connection.query("select $1::int8 + $2") {
                                $0.add(int8: Int64(number))
                                $0.add(int8: 1)
                            }
                            let results = try connection.pipeline { pipeline in
                                try pipeline.query("select $1::int8") { $0.add(int8: 1) }
                                try pipeline.query("select $1::text") { $0.add(text: "a") }
                            }
                            return other.int64(0, 0) - results[0].int64(0, 0)
                        }
                    }
                }
                let all = try await group.reduce(into: []) { $0.append($1) }
                #expect(all.sorted() == (0..<200).map { Int64($0) })
            }
            for pool in pools { await pool.close() }
        }
    }

    @Test("settings hold in every transaction, and reach nobody else")
    func settings() async throws {
        try await TestDatabase.throughPooler { database in
            let said = Mutex<[String]>([])
            let pool = try PostgresPool(
                database.address,
                options: .init(connections: 1, settings: ["jit": "off"]) { line in
                    said.withLock { $0.append(line.message) }
                })
            let sql = "select current_setting('jit'), current_setting('statement_timeout')"
            try await pool.withConnection { connection in
                var answers = [try connection.query(sql)]
                answers.append(try connection.transaction { try connection.query(sql) })
                answers += try connection.pipeline { try $0.query(sql) }
                answers.append(
                    try connection.copy(
                        "select current_setting('jit'), current_setting('statement_timeout')",
                        from: [])[0])
                for answer in answers {
                    #expect(answer.text(0, 0) == "off" && answer.text(0, 1) == "1min")
                }
            }
            #expect(said.withLock { $0 }.count { $0.contains("pooler") } == 1)
            // Another client of the same sessions.
            let other = try database.pool(connections: 1)
            try await other.withConnection {
                try #expect($0.query("select current_setting('jit')").text(0, 0) == "on")
            }
            await other.close()
            await pool.close()
        }
    }

    @Test("a stream's runs are transactions of their own, under the settings")
    func stream() async throws {
        try await TestDatabase.throughPooler { database in
            let pool = try database.pool(connections: 2)
            try await pool.withConnection {
                try $0.run("CREATE TABLE t(n bigint PRIMARY KEY, s text)")
            }
            let codes = try await pool.withConnection { connection in
                var codes: [String] = []
                var numbers: [Int64] = [1, 2, 1, 3, 4, 5, 6]
                try connection.stream(
                    "insert into t values ($1, current_setting('statement_timeout'))"
                ) { parameters in
                    if numbers.isEmpty { return false }
                    parameters.add(int8: numbers.removeFirst())
                    return true
                } answered: { answer in
                    switch answer {
                    case .success(let result): codes.append("\(result.affectedRows)")
                    case .failure(let error):
                        codes.append((error as? PipelineError)?.code.name ?? "?")
                    }
                }
                return codes
            }
            #expect(codes == ["1", "1", "store-constraint", "1", "1", "1", "1"])
            let rows = try await pool.withConnection {
                try $0.query("select count(*), min(s) = max(s) and min(s) = '1min' from t")
            }
            #expect(rows.int(0, 0) == 6 && rows.bool(0, 1))
            await pool.close()
        }
    }

    @Test("a start-up parameter that it does not know is a mistake, and the remedy is named")
    func startupParameter() async throws {
        try await TestDatabase.throughPooler { database in
            var address = database.address
            address.properties["options"] = "-c jit=off"
            let pool = try PostgresPool(address)
            let error = try await failure { try await pool.probe() }
            #expect(error.disposition == .fatal && error.code == .storeOptions)
            #expect(error.message.contains("ignore_startup_parameters"))
            await pool.close()
        }
    }
}

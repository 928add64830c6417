import PipelineCore
import Postgres
import Synchronization
import Testing

@Suite("Errors")
struct ErrorTests {
    @Test(
        "the server's state decides what may be done",
        arguments: [
            ("42P01", "fatal", "store-schema"), ("42601", "fatal", "store-statement"),
            ("40001", "retryable", "store-conflict"), ("40P01", "retryable", "store-conflict"),
            ("53300", "retryable", "store-busy"), ("53100", "retryable", "store-full"),
            ("25006", "retryable", "store-read-only"), ("57014", "retryable", "store-timeout"),
            ("22021", "permanent", "store-data"), ("23505", "permanent", "store-constraint"),
            ("28P01", "fatal", "store-authentication"), ("08006", "retryable", "store-unavailable"),
        ])
    func dispositions(state: String, disposition: String, code: String) async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            let error = try await failure {
                try await pool.withConnection { connection in
                    try connection.run(
                        "DO \("begin raise exception 'boom' using errcode = '\(state)'; end")")
                }
            }
            #expect(error.disposition.rawValue == disposition)
            #expect(error.code.name == code)
            #expect(error.postgres?.sqlState == state)
            await pool.close()
        }
    }

    @Test("a missing table says to migrate")
    func hint() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            let error = try await failure {
                try await pool.withConnection { _ = try $0.query("select * from nowhere") }
            }
            #expect(error.message.contains("penstock migrate"))
            await pool.close()
        }
    }

    @Test("a missing database is fatal and named")
    func missingDatabase() async throws {
        try await TestDatabase.with { database in
            var address = database.address
            address.properties["dbname"] = "nowhere"
            let pool = try PostgresPool(address)
            let error = try await failure { try await pool.probe() }
            #expect(error.disposition == .fatal && error.code == .storeMissing)
            #expect(error.message.contains("nowhere"))
            await pool.close()
        }
    }

    @Test("nobody listening is retryable, and the password stays out of it")
    func refused() async throws {
        let url = "postgres://user:s3cret@127.0.0.1:1/db?application_name=x"
        let pool = try PostgresPool(ResourceAddress(url: url)!)
        let error = try await failure { try await pool.probe() }
        #expect(error.disposition == .retryable && error.code == .storeUnavailable)
        #expect(!"\(error)".contains("s3cret"))
        #expect(error.message.contains("127.0.0.1"))
        await pool.close()
    }

    @Test(
        "an address that can't be read is fatal and not repeated",
        arguments: [
            "postgres://u:s3cret/x@host/db", "postgres://u:1/s3cret@host/db",
            "postgres://u:a@s3cret@host/db", "postgres://u:s3cret%zz@host/db",
            "postgres://h/d?s3cret",
            "postgres://u:p@h/d?nonsense=s3cret", "mysql://u:s3cret@h/d",
        ])
    func badAddress(url: String) async throws {
        let error = try await failure { _ = try PostgresPool(ResourceAddress(url: url)!) }
        #expect(error.disposition == .fatal && error.code == .invalidAddress)
        #expect(!"\(error)".contains("s3cret"))
    }

    @Test(
        "what libpq would refuse, or try for ever, is said without reaching anything",
        arguments: [
            ("postgres://h:99999/d", "99999"), ("postgres://h:0/d", "\"0\""),
            ("postgres://a,b/d?port=1,2,3", "port"), ("postgres://h/d?sslmode=bogus", "sslmode"),
            ("postgres://h/d?target_session_attrs=bogus", "target_session_attrs"),
            ("postgres://h/d?channel_binding=bogus", "channel_binding"),
            ("postgres://h/d?ssl_min_protocol_version=TLSv9", "TLSv9"),
            ("postgres://h/d?connect_timeout=-1", "connect_timeout"),
            ("postgres://h/d?keepalives_idle=soon", "keepalives_idle"),
            ("postgres://h/d?tcp_user_timeout=-7", "tcp_user_timeout"),
            ("postgres://h/d?options=-c%20bogus", "options"),
            ("postgres://h/d?options=jit=off", "options"),
            ("postgres://h/d?nonsense=1", "nonsense"),
            ("postgres://h/d?replication=true", "replication"),
        ])
    func knowableMistakes(url: String, word: String) async throws {
        let address = ResourceAddress(url: url.replacing("://", with: "://u:s3cret@"))!
        let error = try await failure { _ = try PostgresPool(address) }
        #expect(error.disposition == .fatal && error.code == .invalidAddress)
        #expect(error.message.contains(word), "\(error.message)")
        #expect(!error.message.contains("s3cret"))
    }

    @Test(
        "addresses and options of every sort are taken",
        arguments: [
            "postgres:///d", "postgres://a:1,b:2/d", "postgres://a,b:5432/d",
            "postgres://h/d?options=-c%20jit%3Doff%20--work-mem%3D4MB%20-csearch_path%3Da",
            "postgres://%2Ftmp/d", "postgres://h/d?sslmode=verify-full&sslrootcert=/nowhere",
            "postgres://h/d?service=nowhere", "postgres://[::1]:5432/d",
        ])
    func taken(url: String) throws { _ = try PostgresPool(ResourceAddress(url: url)!) }

    @Test(
        "files of certificates and keys are named, those that nobody reads are not",
        arguments: [
            ("postgres://h/d?sslmode=verify-full&sslrootcert=/ca.pem", ["sslrootcert=/ca.pem"]),
            ("postgres://h/d?sslcert=a&sslkey=b&sslcrl=c", ["sslcert=a", "sslkey=b", "sslcrl=c"]),
            ("postgres://h/d?sslmode=disable&sslrootcert=/ca.pem", []),
            ("postgres://h/d?sslkey=engine:key", []), ("postgres://h/d?sslrootcert=", []),
        ])
    func files(url: String, files: [String]) {
        let found = PostgresPool.files(of: ResourceAddress(url: url)!)
        #expect(found.map { "\($0.property)=\($0.path)" } == files)
    }

    @Test("what the server refuses at the beginning is a mistake, unless it took it before")
    func mistakes() async throws {
        try await TestDatabase.with { database in
            let good = try database.pool(connections: 1)
            for (properties, code) in [
                (["options": "-c nonsense=1"], "store-options"),
                (["options": "-c work_mem=much"], "store-options"),
                (["user": "nobody_here"], "store-authentication"),
                (["sslmode": "require"], "store-encryption"),
                (["dbname": "nowhere"], "store-missing"),
            ] {
                var address = database.address
                address.properties.merge(properties) { $1 }
                let pool = try PostgresPool(address)
                let error = try await failure { try await pool.probe() }
                #expect(error.disposition == .fatal && error.code.name == code, "\(error)")
                await pool.close()
            }
            let role = "role_\(RandomSource().next())"
            try await good.withConnection { try $0.run("CREATE ROLE \(identifier: role) LOGIN") }
            var address = database.address
            address.properties["user"] = role
            let said = Mutex<[PostgresLogLine.Severity]>([])
            let pool = try PostgresPool(
                address,
                options: .init(connections: 1) { line in said.withLock { $0.append(line.severity) }
                })
            try await pool.probe()
            try await good.withConnection { try $0.run("ALTER ROLE \(identifier: role) NOLOGIN") }
            try await database.terminateBackends(using: good)
            for _ in 0..<2 {
                let error = try await failure { try await pool.probe() }
                #expect(error.disposition == .retryable && error.code == .storeAuthentication)
            }
            try await good.withConnection { try $0.run("ALTER ROLE \(identifier: role) LOGIN") }
            try await pool.probe()
            #expect(said.withLock { $0 } == [.error, .warning])
            await pool.close()
            try await good.withConnection { try $0.run("DROP ROLE \(identifier: role)") }
            await good.close()
        }
    }

    @Test("an unknown property is named, its value is not")
    func badProperty() async throws {
        let address = ResourceAddress(url: "postgres://h/d", properties: ["sslmod": "s3cret"])!
        let error = try await failure { _ = try PostgresPool(address) }
        #expect(error.message.contains("sslmod") && !error.message.contains("s3cret"))
    }

    @Test("probing a read-only server says so")
    func readOnly() async throws {
        try await TestDatabase.with { database in
            let good = try database.pool()
            try await good.probe()
            let pool = try database.pool(settings: ["default_transaction_read_only": "on"])
            let error = try await failure { try await pool.probe() }
            #expect(error.code == .storeReadOnly)
            await pool.close()
            await good.close()
        }
    }

    @Test("the session has our bounds, and properties win over them")
    func sessionSettings() async throws {
        try await TestDatabase.with { database in
            var address = database.address
            address.properties["statement_timeout"] = "7s"
            address.properties["options"] = "-c jit=off"
            let pool = try PostgresPool(
                address, options: .init(settings: ["search_path": "\"a b\", c"]))
            try await pool.withConnection { connection in
                func setting(_ name: String) throws -> String {
                    try connection.query("select current_setting($1)") { $0.add(text: name) }.text(
                        0, 0)
                }
                try #expect(setting("statement_timeout") == "7s")
                try #expect(setting("jit") == "off")
                try #expect(setting("idle_in_transaction_session_timeout") == "1min")
                try #expect(setting("application_name") == "penstock")
                try #expect(setting("search_path") == "\"a b\", c")
            }
            await pool.close()
        }
    }
}

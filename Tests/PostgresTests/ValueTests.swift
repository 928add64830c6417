import PipelineCore
import Postgres
import Testing

@Suite("Values")
struct ValueTests {
    @Test("every type comes back as it was sent, alone and as NULL")
    func scalars() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            let id = UUID(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
            let instant = Timestamp(microseconds: 1_700_000_000_123_456)
            try await pool.withConnection { connection in
                let r = try connection.query("select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11")
                {
                    $0.add(int2: -2)
                    $0.add(int4: .min)
                    $0.add(int8: .max)
                    $0.add(float8: -1.5)
                    $0.add(text: "π \\ ' \" ;")
                    $0.add(bytea: [0, 255, 1])
                    $0.add(uuid: id)
                    $0.add(timestamptz: instant)
                    $0.add(bool: true)
                    $0.add(char: UInt8(ascii: "V"))
                    $0.add(text: nil)
                }
                #expect(r.rowCount == 1 && r.columnCount == 11)
                #expect(r.int64(0, 0) == -2)
                #expect(r.int64(0, 1) == Int64(Int32.min))
                #expect(r.int64(0, 2) == .max)
                #expect(r.double(0, 3) == -1.5)
                #expect(r.text(0, 4) == "π \\ ' \" ;")
                #expect(r.bytes(0, 5) == [0, 255, 1])
                #expect(r.uuid(0, 6) == id)
                #expect(r.timestamp(0, 7) == instant)
                #expect(r.bool(0, 8))
                #expect(r.char(0, 9) == UInt8(ascii: "V"))
                #expect(r.isNull(0, 10) && r.textOrNil(0, 10) == nil)
                let text = try connection.query("select $1::uuid::text, $2::timestamptz::text") {
                    $0.add(uuid: id)
                    $0.add(timestamptz: instant)
                }
                #expect(text.text(0, 0) == id.description)
                #expect(text.text(0, 1).hasPrefix("2023-11-"))
            }
            await pool.close()
        }
    }

    @Test("arrays keep their order, their NULLs, and may be empty")
    func arrays() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            try await pool.withConnection { connection in
                let ids = (0..<600).map { UUID(high: UInt64($0), low: ~UInt64($0)) }
                let r = try connection.query(
                    "select i, u, t, b, n from unnest($1, $2, $3, $4, $5) x(i, u, t, b, n)"
                ) {
                    $0.add(int8s: (0..<600).map { Int64($0) })
                    $0.add(uuids: ids)
                    $0.add(
                        timestamptzs: (0..<600).map { $0 == 7 ? nil : Timestamp(microseconds: $0) })
                    $0.add(byteas: (0..<600).map { Bytes(repeating: 1, count: $0 % 3) })
                    $0.add(arrayOf: .text, 0..<600) { $0.write(text: $1 == 3 ? nil : "\($1)") }
                }
                #expect(r.rowCount == 600)
                for row in 0..<600 {
                    #expect(r.int(row, 0) == row)
                    #expect(r.uuid(row, 1) == ids[row])
                    #expect(r.timestampOrNil(row, 2)?.microseconds == (row == 7 ? nil : Int64(row)))
                    #expect(r.bytes(row, 3).count == row % 3)
                    #expect(r.textOrNil(row, 4) == (row == 3 ? nil : "\(row)"))
                }
                let empty = try connection.query("select cardinality($1), $1, array[3,1]::int[]") {
                    $0.add(int8s: [])
                }
                #expect(empty.int(0, 0) == 0)
                #expect(empty.int64s(0, 1) == [])
                #expect(empty.int64s(0, 2) == [3, 1])
            }
            await pool.close()
        }
    }

    @Test("the ends of time are the server's infinities")
    func infinities() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            try await pool.withConnection { connection in
                let r = try connection.query("select $1 = 'infinity', $2 = '-infinity', $1, $2") {
                    $0.add(timestamptz: Timestamp(microseconds: .max))
                    $0.add(timestamptz: Timestamp(microseconds: .min))
                }
                #expect(r.bool(0, 0) && r.bool(0, 1))
                #expect(r.timestamp(0, 2).microseconds == .max)
                #expect(r.timestamp(0, 3).microseconds == .min)
            }
            await pool.close()
        }
    }

    @Test("a script's interpolations are literals, whatever they hold")
    func literals() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            let evil = ["'; drop table t; --", "\\'", "a\\", "''", "\u{1F600}\"$1", ""]
            try await pool.withConnection { connection in
                for text in evil {
                    let r = try connection.copy(
                        "SELECT \(text); SELECT \(-5)::bigint + \(Int64.max); SELECT 1 AS \(identifier: "x\"" + text)",
                        from: [])
                    #expect(r[0].text(0, 0) == text)
                }
            }
            await pool.close()
        }
    }
}

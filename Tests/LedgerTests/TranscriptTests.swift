import Ledger
import PipelineCore
import PipelineTesting
import Postgres
import PostgresLedger
import SQLite
import SQLiteLedger
import Testing

/// The transcripts of the batching rules, which every ledger has to follow.
enum LedgerTranscripts {
    private static let folder = String(
        #filePath.dropLast("LedgerTests/TranscriptTests.swift".count)
            + "BatchingTests/Transcripts")
    static let right = TranscriptFile.all(in: folder)
    static let wrong = TranscriptFile.all(in: folder + "/Wrong")
}

/// One after the other: each has a database, and a server has so many connections.
@Suite("Transcripts, against the ledger on PostgreSQL,", .serialized)
struct PostgresTranscriptTests {
    @Test("come out as they say", arguments: LedgerTranscripts.right)
    func right(_ file: TranscriptFile) async throws { try await run(try file.load()) }

    @Test("fail where they are wrong, and name the step", arguments: LedgerTranscripts.wrong)
    func wrong(_ file: TranscriptFile) async throws {
        let transcript = try file.load()
        let failure = await #expect(throws: ConformanceFailure.self) { try await run(transcript) }
        #expect(failure?.description == transcript.fails)
    }

    private func run(_ transcript: BatchingTranscript) async throws {
        try await PostgresTestDatabase.with { database in
            let clock = try await PostgresTestClock(database, at: transcript.start)
            let provider = PostgresLedgerProvider(pool: try database.pool(connections: 1))
            try await provider.migrateLedger()
            let ledger = try provider.ledger(for: transcript.stage)
            try await ledger.register()
            #expect(try await ledger.seal().clock == transcript.start, "the clock stands still")
            try await transcript.run(
                on: LedgerTranscriptSubject(ledger) { try await clock.set($0) })
            await provider.close()
            await clock.close()
        }
    }
}

/// Makes the clock of one database stand still, and sets it.
///
/// The ledger's functions ask for the time by a plain name. This puts a schema before PostgreSQL's
/// own with functions of the same names; the ledger itself has no way to be told another time.
struct PostgresTestClock: Sendable {
    private let pool: PostgresPool

    init(_ database: PostgresTestDatabase, at instant: Timestamp) async throws {
        pool = try database.pool(connections: 1)
        try await pool.withConnection { connection in
            try connection.run(
                """
                create schema stopped;
                create table stopped.clock(now timestamptz not null);
                insert into stopped.clock values ('epoch');
                create function stopped.clock_timestamp() returns timestamptz language sql volatile
                  as 'select now from stopped.clock';
                create function stopped.statement_timestamp() returns timestamptz
                  language sql volatile as 'select now from stopped.clock';
                alter database \(identifier: database.name)
                  set search_path = stopped, pg_catalog, public;
                """)
        }
        try await set(instant)
    }

    /// Later connections see it; those open before ``init(_:at:)`` do not.
    func set(_ instant: Timestamp) async throws {
        try await pool.withConnection { connection in
            _ = try connection.query("update stopped.clock set now = $1") {
                $0.add(timestamptz: instant)
            }
        }
    }

    func close() async { await pool.close() }
}

@Suite("Transcripts, against the ledger on SQLite,")
struct SQLiteTranscriptTests {
    @Test("come out as they say", arguments: LedgerTranscripts.right)
    func right(_ file: TranscriptFile) async throws { try await run(try file.load()) }

    @Test("fail where they are wrong, and name the step", arguments: LedgerTranscripts.wrong)
    func wrong(_ file: TranscriptFile) async throws {
        let transcript = try file.load()
        let failure = await #expect(throws: ConformanceFailure.self) { try await run(transcript) }
        #expect(failure?.description == transcript.fails)
    }

    @Test("are there")
    func presence() {
        #expect(!LedgerTranscripts.right.isEmpty && !LedgerTranscripts.wrong.isEmpty)
    }

    private func run(_ transcript: BatchingTranscript) async throws {
        let time = ManualClock(timestamp: transcript.start)
        let provider = SQLiteLedgerProvider(database: .inMemory(), clock: time.clock)
        try await provider.migrateLedger()
        let ledger = provider.ledger(for: transcript.stage)
        try await ledger.register()
        try await transcript.run(
            on: LedgerTranscriptSubject(ledger) {
                time.advance(by: time.timestamp.duration(to: $0))
            })
    }
}

import Ledger
import PipelineCore
import PipelineTesting
import SQLite
import SQLiteLedger
import Testing

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

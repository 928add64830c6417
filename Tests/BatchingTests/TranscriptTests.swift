import Batching
import PipelineTesting
import Testing

@Suite("Transcripts, against the rule on its own,")
struct TranscriptTests {
    private static let folder = String(
        #filePath.dropLast("TranscriptTests.swift".count) + "Transcripts")
    static let rightFiles = TranscriptFile.all(in: folder)
    static let wrongFiles = TranscriptFile.all(in: folder + "/Wrong")

    @Test("come out as they say", arguments: rightFiles)
    func right(_ file: TranscriptFile) async throws {
        let transcript = try file.load()
        try await transcript.run(on: PureBatching(transcript))
    }

    @Test("fail where they are wrong, and name the step", arguments: wrongFiles)
    func wrong(_ file: TranscriptFile) async throws {
        let transcript = try file.load()
        let failure = await #expect(throws: ConformanceFailure.self) {
            try await transcript.run(on: PureBatching(transcript))
        }
        #expect(failure?.description == transcript.fails)
    }

    @Test("are there")
    func presence() {
        #expect(Self.rightFiles.count > 35 && Self.wrongFiles.count > 9)
    }
}

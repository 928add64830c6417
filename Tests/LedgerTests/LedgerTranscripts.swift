import PipelineTesting

/// The transcripts of the batching rules, which every ledger has to follow.
enum LedgerTranscripts {
    private static let folder = String(
        #filePath.dropLast("LedgerTests/LedgerTranscripts.swift".count)
            + "BatchingTests/Transcripts")
    static let right = TranscriptFile.all(in: folder)
    static let wrong = TranscriptFile.all(in: folder + "/Wrong")
}

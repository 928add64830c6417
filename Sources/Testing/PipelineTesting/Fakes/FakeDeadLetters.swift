public import PipelineCore

/// Dead letters in memory.
public final class FakeDeadLetters: DeadLetterStore {
    /// What was kept, in order.
    public let letters = Journal<StoredDeadLetter>()
    /// What keeping fails with.
    public let failures = Failures()
    public init() {}

    public func keep(_ letters: [StoredDeadLetter]) async throws {
        try failures.throwNext()
        for letter in letters { self.letters.note(letter) }
    }
    public func deadLetters(
        _ selection: DeadLetterSelection, limit: Int
    ) async throws -> [StoredDeadLetter] { Array(letters.entries.prefix(limit)) }
    public func deadLetterCounts() async throws -> [String: Int] {
        Dictionary(grouping: letters.entries, by: \.rejection.stage).mapValues(\.count)
    }
    public func removeDeadLetters(_ selection: DeadLetterSelection) async throws -> Int { 0 }
}

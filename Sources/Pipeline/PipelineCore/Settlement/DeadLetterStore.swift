/// A refused record that its dead-letter topic does not take, as a store keeps it: untouched, with the reasons.
public struct StoredDeadLetter: Sendable {
    /// The store's number of it; 0 for one that is not stored yet.
    public var number: Int64
    /// Why the topic did not take it.
    public var refusal: PipelineError
    /// The resource that it was read from, by its name in the pipeline's file.
    public var resource: String
    /// The record, why it was refused, and by which stage.
    public var rejection: Rejection
    /// Set by the store.
    public var keptAt: Timestamp?

    public init(
        _ rejection: Rejection, resource: String, refusal: PipelineError, number: Int64 = 0,
        keptAt: Timestamp? = nil
    ) {
        self.number = number
        self.refusal = refusal
        self.resource = resource
        self.rejection = rejection
        self.keptAt = keptAt
    }
}

/// Which stored dead letters are meant: those that meet every condition that is set.
public struct DeadLetterSelection: Sendable, Hashable {
    public var stage: String?
    public var code: String?
    public var numbers: [Int64]?
    public init(stage: String? = nil, code: String? = nil, numbers: [Int64]? = nil) {
        self.stage = stage
        self.code = code
        self.numbers = numbers
    }
    public static let all = DeadLetterSelection()
}

/// Where refused records lie that their topic does not take: of one pipeline, in one store.
public protocol DeadLetterStore: DeadLetterPlace {
    /// The oldest first.
    func deadLetters(
        _ selection: DeadLetterSelection, limit: Int
    ) async throws -> [StoredDeadLetter]
    /// How many there are of each stage that has any.
    func deadLetterCounts() async throws -> [String: Int]
    /// Answers how many are gone.
    func removeDeadLetters(_ selection: DeadLetterSelection) async throws -> Int
}

/// What takes refused records that their topic does not take: a store, or a file.
public protocol DeadLetterPlace: Sendable {
    /// Returns once they are safe. After a lost answer or a crash some may be kept twice.
    func keep(_ letters: [StoredDeadLetter]) async throws
}

/// A store that keeps dead letters.
public protocol DeadLetterProvider: Resource {
    func deadLetters(of pipeline: String) -> any DeadLetterStore
}

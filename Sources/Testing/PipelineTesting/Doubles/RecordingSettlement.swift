public import PipelineCore
internal import Synchronization

/// An acknowledgement's handler that remembers what it was told.
public final class RecordingSettlement: AcknowledgementHandler {
    /// Every rejection that was kept, in order.
    public let rejections = Journal<Rejection>()
    /// What `settled` was called with; one entry if all is well.
    public let settlements = Journal<Settlement>()
    /// What keeping rejections fails with.
    public let failures: Failures

    public init(failures: Failures = Failures()) { self.failures = failures }

    public func reject(_ rejections: [Rejection]) async throws {
        try failures.throwNext()
        for rejection in rejections { self.rejections.note(rejection) }
    }

    public func settled(_ settlement: Settlement) { settlements.note(settlement) }

    /// Returns once the chunk has settled: `nil` when all is safe, else why it failed.
    public func outcome() async throws -> PipelineError? {
        try await settlements.reaches(1)[0].failure
    }

    /// The ordinals that were rejected so far.
    public var rejectedOrdinals: [Int] { rejections.entries.map(\.record.ordinal) }
}

/// A handler whose callers have gone as soon as they have been asked for once.
private final class ForsakenSettlement: AcknowledgementHandler {
    private let hasAsked = Atomic(false)
    var isAwaited: Bool { !hasAsked.exchange(true, ordering: .relaxed) }
    func reject(_ rejections: [Rejection]) async throws {}
    func settled(_ settlement: Settlement) {}
}

extension Chunk {
    /// A chunk that is taken, and whose callers have gone by the time that it fails.
    public static func forsaken(_ numbers: [Int]) -> Chunk {
        let chunk = testing(numbers).chunk
        return Chunk(
            records: chunk.records, advances: [],
            acknowledgement: Acknowledgement(ForsakenSettlement()))
    }
}

/// A refusals' observer that remembers what it was told.
public final class RecordingRefusals: RefusalObserver {
    public let rejections = Journal<Rejection>()
    /// Dead letters that lie elsewhere, as `COUNT of INPUT in PLACE`.
    public let keptElsewhere = Journal<String>()

    public init() {}

    public func rejected(_ rejections: [Rejection]) {
        for rejection in rejections { self.rejections.note(rejection) }
    }

    public func keptElsewhere(
        _ count: Int, of input: String, in place: String, because: PipelineError
    ) { keptElsewhere.note("\(count) of \(input) in \(place)") }

    public func paused(_ partitions: [Int32], of input: String, because: PipelineError?) {}
}

extension Settlement {
    /// Why nothing is promised; `nil` for an acknowledgement.
    public var failure: PipelineError? {
        switch self {
        case .acknowledged: nil
        case .failed(let error): error
        }
    }
}

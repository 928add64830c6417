internal import Synchronization

/// What a ledger sees of a ``ChunkWindow``: chunks to be accepted, in order, and whom to answer.
public protocol SubmissionWindow: Sendable {
    /// Takes the next chunk; none after one was not accepted.
    func next() -> Submissions?
    /// The answer for the oldest chunk in flight.
    func answer(_ answer: Result<Acceptance, any Error>)
}

/// The chunks on their way into a ledger, in order: which are to be handed in, which are in flight,
/// and which were never answered.
///
/// The one who hands chunks in owns it. The ledger, which sees no more of it than a
/// ``SubmissionWindow``, takes the next chunk and answers the oldest in
/// flight; what it has accepted settles at once. After a chunk that was not accepted nothing more
/// is taken: those behind it may go on from there.
public final class ChunkWindow: SubmissionWindow {
    private enum Phase {
        case ready, inFlight
        /// Nothing of it was written.
        case refused
        /// It may have been accepted or not.
        case unanswered
    }
    private struct Entry {
        let chunk: Chunk
        var phase = Phase.ready
    }
    private struct State {
        /// In order, until they have settled.
        var open: [Entry] = []
        /// The answer of the first chunk that was not accepted.
        var refusal: Result<Acceptance, any Error>?

        func index(of chunk: Chunk) -> Int? {
            open.firstIndex { $0.chunk.acknowledgement === chunk.acknowledgement }
        }
    }
    private let state = Mutex(State())
    private let take: @Sendable () -> Chunk?
    private let accepted: @Sendable (Chunk, AcceptedCounts) -> Void

    /// - Parameters:
    ///   - take: takes the next chunk, if one lies ready. Like `accepted` it runs on a thread of
    ///     the ledger's, and must not block.
    ///   - accepted: settles a chunk.
    public init(
        take: @escaping @Sendable () -> Chunk? = { nil },
        accepted: @escaping @Sendable (Chunk, AcceptedCounts) -> Void
    ) {
        self.take = take
        self.accepted = accepted
    }

    // MARK: The ledger's side

    /// Takes the next chunk; none after one was not accepted. A chunk with nothing to be written
    /// settles without the ledger.
    public func next() -> Submissions? {
        while let chunk = nextReady() {
            if chunk.records.isEmpty && chunk.advances.isEmpty {
                forget(chunk)
                accepted(chunk, AcceptedCounts(new: 0, reopened: 0, repeated: 0))
                continue
            }
            do {
                let submissions = try Submissions(
                    records: chunk.records, advances: chunk.advances)
                mark(chunk, .inFlight)
                return submissions
            } catch {
                mark(chunk, .inFlight)
                answer(.failure(error))
            }
        }
        return nil
    }

    private func nextReady() -> Chunk? {
        state.withLock { state in
            if state.refusal != nil { return nil }
            if let entry = state.open.first(where: { $0.phase == .ready }) { return entry.chunk }
            guard let chunk = take() else { return nil }
            state.open.append(Entry(chunk: chunk))
            return chunk
        }
    }

    /// The answer for the oldest chunk in flight.
    public func answer(_ answer: Result<Acceptance, any Error>) {
        let done: (Chunk, AcceptedCounts)? = state.withLock { state in
            guard let index = state.open.firstIndex(where: { $0.phase == .inFlight }) else {
                return nil
            }
            if case .success(.accepted(let counts)) = answer {
                return (state.open.remove(at: index).chunk, counts)
            }
            state.open[index].phase = answer.isUnknown ? .unanswered : .refused
            state.refusal = state.refusal ?? answer
            return nil
        }
        if let done { accepted(done.0, done.1) }
    }

    // MARK: The owner's side

    /// Puts a chunk in front of those that lie ready.
    public func add(_ chunk: Chunk) { state.withLock { $0.open.append(Entry(chunk: chunk)) } }

    /// Why the first chunk that was not accepted was not; `nil` if it was a conflict, or if there
    /// is none.
    public var failure: (any Error)? {
        guard case .failure(let error) = state.withLock({ $0.refusal }) else { return nil }
        return error
    }

    /// The chunks that are left after a ledger has returned, in order, to be handed in one by one.
    /// What is still in flight has lost its answer.
    public func left() -> [Chunk] {
        state.withLock { state in
            state.refusal = nil
            for index in state.open.indices where state.open[index].phase == .inFlight {
                state.open[index].phase = .unanswered
            }
            return state.open.map(\.chunk)
        }
    }

    /// What is to be handed in of a chunk that is left, with those of its records that are left.
    ///
    /// - Throws: ``PipelineError`` as ``Submissions``.
    public func submissions(
        of chunk: Chunk, _ records: [Record]
    ) throws(PipelineError) -> Submissions {
        var submissions = try Submissions(records: records, advances: chunk.advances)
        submissions.unanswered = state.withLock { state in
            guard let index = state.index(of: chunk), state.open[index].phase == .unanswered else {
                return []
            }
            return state.open.filter { $0.phase == .unanswered }.flatMap(\.chunk.advances)
        }
        return submissions
    }

    /// A chunk that was handed in by itself may have been accepted or not.
    public func lostAnswer(of chunk: Chunk) { mark(chunk, .unanswered) }

    /// The chunk has settled.
    public func forget(_ chunk: Chunk) {
        state.withLock { state in
            if let index = state.index(of: chunk) { state.open.remove(at: index) }
        }
    }

    private func mark(_ chunk: Chunk, _ phase: Phase) {
        state.withLock { state in
            if let index = state.index(of: chunk) { state.open[index].phase = phase }
        }
    }
}

extension Result<Acceptance, any Error> {
    /// Nobody knows what became of the chunk.
    fileprivate var isUnknown: Bool {
        guard case .failure(let error) = self else { return false }
        return (error as? PipelineError)?.disposition == .retryable || error is CancellationError
    }
}

/// A chunk as a ledger takes it in: columns of equal length, a row a case.
public struct Submissions: Sendable {
    public var ids: [UUID]
    public var digests: [Digest]
    /// `nil`: the stage's SLA from now.
    public var deadlines: [Timestamp?]
    public var parameters: [Bytes]
    /// Empty if there is none.
    public private(set) var traces: [TraceContext?] = []
    /// Empty if nobody says who he is.
    public private(set) var requesters: [String?] = []
    public var advances: [PositionAdvance]
    /// The steps of the chunks that this process has handed in without hearing what became of them,
    /// of this one and those behind it; empty for a chunk that is handed in for the first time.
    public var unanswered: [PositionAdvance] = []

    public init(advances: [PositionAdvance] = []) {
        ids = []
        digests = []
        deadlines = []
        parameters = []
        self.advances = advances
    }

    public mutating func reserveCapacity(_ count: Int) {
        ids.reserveCapacity(count)
        digests.reserveCapacity(count)
        deadlines.reserveCapacity(count)
        parameters.reserveCapacity(count)
    }

    public mutating func append(
        id: UUID, digest: Digest, deadline: Timestamp?, parameters: Bytes,
        trace: TraceContext? = nil, requester: String? = nil
    ) {
        traces.append(trace, behind: ids.count)
        requesters.append(requester, behind: ids.count)
        ids.append(id)
        digests.append(digest)
        deadlines.append(deadline)
        self.parameters.append(parameters)
    }

    public var count: Int { ids.count }

    /// - Throws: ``PipelineError`` `codec-mismatch`, fatal, for a record without a case id.
    public init(
        records: [Record], advances: [PositionAdvance]
    ) throws(PipelineError) {
        self.init(advances: advances)
        reserveCapacity(records.count)
        for record in records {
            guard let id = record.id else {
                throw .fatal(
                    .codecMismatch,
                    "a record of \(record.origin) has no case id; its codec must give it one, or refuse it"
                )
            }
            append(
                id: id, digest: record.digest ?? Digest(of: record.body),
                deadline: record.deadline, parameters: record.body, trace: record.trace,
                requester: record.requester)
        }
    }

    /// Where the advance, and then unanswered ones that go on from there, may have left its
    /// position; nowhere if it was handed in for the first time.
    public func ends(of advance: PositionAdvance) -> [Int64] {
        if unanswered.isEmpty { return [] }
        var ends = [advance.next]
        while let end = ends.last,
            let behind = unanswered.first(where: {
                $0.source == advance.source && $0.partition == advance.partition
                    && $0.expected == end && $0.next > end
            })
        {
            ends.append(behind.next)
        }
        return ends
    }
}

extension Array {
    /// Appends to a column that stays empty until a row has a value.
    ///
    /// - Parameter count: of the rows before.
    fileprivate mutating func append<Value>(_ value: Value?, behind count: Int)
    where Element == Value? {
        if value == nil && isEmpty { return }
        if isEmpty { self = Array(repeating: nil, count: count) }
        append(value)
    }
}

/// What became of a chunk.
public enum Acceptance: Sendable, Hashable {
    /// Committed, positions included.
    case accepted(AcceptedCounts)
    /// Nothing was written: the cases at these indices are known with other parameters. Take them
    /// out and try again.
    case conflicts([Int])
}

public struct AcceptedCounts: Sendable, Hashable {
    public var new: Int
    public var reopened: Int
    public var repeated: Int
    public init(new: Int, reopened: Int, repeated: Int) {
        self.new = new
        self.reopened = reopened
        self.repeated = repeated
    }
}

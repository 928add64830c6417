public import Concurrency
public import PipelineCore
internal import Synchronization

/// A source that does what a test says.
public final class ScriptedSource: Source {
    public let closings = Journal<Void>()
    /// What it was told keeps the pipeline from taking in; `nil` when nothing does any more.
    public let obstacles = Journal<PipelineError?>()
    private let body: @Sendable (Outlet) async throws -> Void

    public init(_ body: @escaping @Sendable (Outlet) async throws -> Void) { self.body = body }

    /// Sends the chunks, then ends.
    public convenience init(_ chunks: [Chunk]) {
        self.init { outlet in for chunk in chunks { try await outlet.send(chunk) } }
    }

    public func run(into outlet: Outlet) async throws { try await body(outlet) }
    public func close() async { closings.note(()) }
    public func blocked(by error: PipelineError?) { obstacles.note(error) }
}

/// A transform that does what a test says.
public struct ScriptedTransform: Transform {
    private let body: @Sendable (Chunk) async throws -> Chunk
    public init(_ body: @escaping @Sendable (Chunk) async throws -> Chunk) { self.body = body }
    public func process(_ chunk: Chunk) async throws -> Chunk { try await body(chunk) }
}

/// A generator that does what a test says; by default it answers with a copy of the parameters.
public struct ScriptedGenerator: Generator {
    private let body: @Sendable (Batch) async throws -> GeneratedBatch
    public init(
        _ body: @escaping @Sendable (Batch) async throws -> GeneratedBatch = { .echo(of: $0) }
    ) { self.body = body }
    public func generate(_ batch: Batch) async throws -> GeneratedBatch { try await body(batch) }
}

extension GeneratedBatch {
    /// A report for each case: its parameters.
    public static func echo(of batch: Batch) -> GeneratedBatch {
        GeneratedBatch(
            results: batch.cases.map { .report($0.parameters) }, dataAsOf: batch.sealedAt)
    }
}

/// A sink that keeps what it gets, records as well as outcomes.
public final class RecordingSink: RecordSink, OutcomeSink {
    /// What came, delivered or not.
    public let arrivals = Journal<Void>()
    /// The chunks that were delivered.
    public let chunks = Journal<Chunk>()
    /// The batches that were delivered, repeats included.
    public let batches = Journal<OutcomeBatch>()
    public let closings = Journal<Void>()
    /// What deliveries fail with.
    public let failures: Failures
    /// Cases that are refused for good.
    public let refused: Set<Int>
    /// Deliveries wait here.
    public let gate: AsyncEvent

    public init(
        failures: Failures = Failures(), refusing refused: Set<Int> = [], isOpen: Bool = true
    ) {
        self.failures = failures
        self.refused = refused
        gate = AsyncEvent()
        if isOpen { gate.set() }
    }

    public func deliver(_ chunk: Chunk) async throws {
        arrivals.note(())
        try await gate.wait()
        try failures.throwNext()
        chunks.note(chunk)
    }
    public func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
        arrivals.note(())
        try await gate.wait()
        try failures.throwNext()
        batches.note(batch)
        return batch.outcomes.filter { refused.contains(Int($0.caseNumber)) }.map {
            OutcomeRefusal($0, .permanent("record-too-large", "too large for the topic"))
        }
    }
    public func close() async { closings.note(()) }
}

/// Renders an outcome as its case's id: what is announced, and what is cached.
public struct FakeEncoder: OutcomeEncoder {
    public init() {}
    public func announcement(_ outcome: Outcome) throws -> OutgoingRecord {
        let id = Array(outcome.caseID.description.utf8)[...]
        return OutgoingRecord(key: id, payload: Array("announced \(outcome.caseID)".utf8)[...])
    }
    public func cached(_ outcome: Outcome) throws -> Bytes {
        let revision = outcome.revision > 1 ? " \(outcome.revision)" : ""
        return Array("cached \(outcome.caseID)\(revision)".utf8)[...]
    }
    public func recognize(_ bytes: Bytes, of id: UUID) -> CachedAnswer {
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        guard words.starts(with: ["cached", Substring(id.description)]) else { return .foreign }
        return .lasting(revision: words.count > 2 ? Int(words[2])! : 1)
    }
}

/// A reader of cases in memory that counts its statements.
public final class FakeCases: CaseReader, CaseChanges {
    /// How many ids each statement asked for.
    public let statements = Journal<Int>()
    /// The ids that each statement was to end.
    public let endings = Journal<[UUID]>()
    /// The ids that each statement was to refresh.
    public let refreshes = Journal<[UUID]>()
    /// How often the schedule was asked for.
    public let scheduleLooks = Journal<Void>()
    /// What statements fail with.
    public let failures = Failures()
    public let outcomesCommitted = Signal()
    private struct State {
        var cases: [UUID: CaseSnapshot] = [:]
        var sealing = ExpectedSealing(at: nil, clock: Timestamp(microseconds: 0))
    }
    private let state = Mutex(State())

    public init() {}

    /// The case is known, and stands so.
    ///
    /// - Parameter revision: the outcome's, or 1, unless it is said.
    public func put(
        _ number: Int, _ caseState: CaseState, outcome: Outcome? = nil, revision: Int? = nil,
        deadline: Timestamp = Timestamp(microseconds: 86_400_000_000), requester: String? = nil
    ) {
        state.withLock {
            $0.cases[.testing(number)] = CaseSnapshot(
                id: .testing(number), revision: revision ?? outcome?.revision ?? 1,
                state: caseState,
                acceptedAt: Timestamp(microseconds: 0),
                deadline: deadline, requester: requester, outcome: outcome)
        }
    }

    /// When the open batch will be sealed, and the store's clock.
    public func expectSealing(at time: Timestamp?, clock: Timestamp) {
        expect(ExpectedSealing(at: time, clock: clock))
    }
    public func expect(_ sealing: ExpectedSealing) { state.withLock { $0.sealing = sealing } }

    public func snapshots(of ids: [UUID]) async throws -> [UUID: CaseSnapshot] {
        statements.note(ids.count)
        try failures.throwNext()
        return state.withLock { state in
            Dictionary(
                uniqueKeysWithValues: ids.compactMap { id in state.cases[id].map { (id, $0) } })
        }
    }

    public func end(
        _ ids: [UUID], as ending: CaseState, reason: String
    ) async throws -> Int {
        endings.note(ids)
        try failures.throwNext()
        let open = state.withLock { state in
            ids.compactMap { state.cases[$0] }.filter { !$0.state.isFinal }
        }
        state.withLock { state in
            for var snapshot in open {
                let outcome = Outcome.testing(1)
                snapshot.state = ending
                snapshot.outcome = Outcome(
                    id: outcome.id, caseNumber: 1, caseID: snapshot.id,
                    revision: snapshot.revision, batch: 1, state: ending, reason: reason,
                    report: nil, dataAsOf: nil, writtenAt: outcome.writtenAt,
                    deadline: snapshot.deadline, parameters: [])
                state.cases[snapshot.id] = snapshot
            }
        }
        return open.count
    }

    /// Those that have an outcome keep it, and wait for the next revision.
    public func refresh(_ ids: [UUID]) async throws -> Int {
        refreshes.note(ids)
        try failures.throwNext()
        return state.withLock { state in
            let finished = ids.filter { state.cases[$0]?.outcome != nil }
            for id in finished { state.cases[id]?.revision += 1 }
            return finished.count
        }
    }

    /// Those that were put in, numbered in order of their ids.
    public func list(_ listing: CaseListing) async throws -> [ListedCase] {
        try failures.throwNext()
        let known = state.withLock { $0.cases.values.sorted { $0.id < $1.id } }
        let listed = zip(Int64(1)..., known).compactMap { number, item -> ListedCase? in
            if let requester = listing.requester, item.requester != requester { return nil }
            if let after = listing.after {
                guard listing.isAscending ? number > after : number < after else { return nil }
            }
            return ListedCase(
                number: number, id: item.id, acceptedAt: item.acceptedAt,
                parameters: item.outcome?.parameters ?? [])
        }
        return Array((listing.isAscending ? listed : listed.reversed()).prefix(listing.limit))
    }

    public func expectedSealing() async throws -> ExpectedSealing {
        scheduleLooks.note(())
        try failures.throwNext()
        return state.withLock { $0.sealing }
    }
}

/// Dead letters in memory.
public final class FakeDeadLetters: DeadLetterStore {
    /// What was kept, in order.
    public let letters = Journal<StoredDeadLetter>()
    /// What keeping fails with.
    public let failures = Failures()
    private let marks = Mutex<[String: [Int32: SettledLetters]]>([:])
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

    public func settled(of log: LogName) async throws -> [Int32: SettledLetters] {
        marks.withLock { $0[log.key] ?? [:] }
    }
    public func settle(
        _ letters: [Int32: SettledLetters], of log: LogName, starts: [Int32: Int64],
        refuted: [Int32: LogWitness]
    ) async throws -> Int {
        try failures.throwNext()
        return marks.withLock { marks in
            var all = marks[log.key] ?? [:]
            all = all.filter { refuted[$0.key] != $0.value.witness }
            var count = 0
            for (partition, new) in letters {
                count += new.countNew(to: all[partition])
                all[partition, default: new].add(new, start: starts[partition] ?? 0)
            }
            marks[log.key] = all
            return count
        }
    }
}

/// The chunks that a test hands in, one after the other.
public final class ScriptedChunks: Sendable {
    private let left: Mutex<ArraySlice<Chunk>>

    public init(_ chunks: [Chunk]) { left = Mutex(chunks[...]) }

    /// How many have not been taken.
    public var count: Int { left.withLock { $0.count } }

    public func next() -> Chunk? { left.withLock { $0.popFirst() } }
}

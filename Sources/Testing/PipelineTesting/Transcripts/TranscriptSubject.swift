internal import Batching
public import Ledger
internal import LocatedJSON
public import PipelineCore
internal import Synchronization

/// What a transcript can be run against.
public protocol TranscriptSubject: Sendable {
    /// Cases arrive, in this order.
    func accept(_ cases: [TranscriptCase]) async throws
    /// Time passes, and nobody looks at the rule.
    func advance(to instant: Timestamp) async throws
    func flush() async throws
    /// Looks at the rule until there is nothing more to do at once.
    func seal() async throws -> TranscriptSealing
}

/// A case that arrives.
public struct TranscriptCase: Sendable, Hashable {
    /// Ascending in the order of arrival.
    public var number: Int
    /// `nil`: the SLA from now.
    public var deadline: Timestamp?
}

/// What came of a look at the rule.
public struct TranscriptSealing: Sendable, Hashable {
    public struct Batch: Sendable, Hashable {
        public var closedBy: String
        /// By number, earliest deadline first.
        public var cases: [Int]
    }
    public var batches: [Batch]
    /// When to look again although nothing arrives.
    public var next: Timestamp?
    /// How many cases are left, as far as they are counted.
    public var waiting: Int
}

/// A ledger whose store's clock a test can set.
public struct LedgerTranscriptSubject: TranscriptSubject {
    private let ledger: any Ledger
    private let setClock: @Sendable (Timestamp) async throws -> Void

    /// - Parameter setClock: moves the store's clock; it stands still otherwise.
    public init(
        _ ledger: any Ledger, setClock: @escaping @Sendable (Timestamp) async throws -> Void
    ) {
        self.ledger = ledger
        self.setClock = setClock
    }

    public func accept(_ cases: [TranscriptCase]) async throws {
        var submissions = Submissions()
        for item in cases {
            submissions.append(
                id: UUID(high: 1, low: UInt64(item.number)), digest: Digest(high: 0, low: 1),
                deadline: item.deadline, parameters: [])
        }
        let counts = AcceptedCounts(new: cases.count, reopened: 0, repeated: 0)
        try requireEqual(try await ledger.accept(submissions), .accepted(counts), "accepting")
    }

    public func advance(to instant: Timestamp) async throws { try await setClock(instant) }

    public func flush() async throws { try await ledger.requestFlush() }

    public func seal() async throws -> TranscriptSealing {
        let sealed = try await ledger.sealAll()
        let last = try await ledger.seal()
        try requireEqual(
            try await ledger.expectedSealing().at, last.next, "what the ledger expects to do next")
        var batches: [Batch] = []
        // For ever: a transcript may go on for years.
        while let batch = try await ledger.claim(worker: "w", lease: .hours(1_000_000)) {
            batches.append(batch)
        }
        try requireEqual(batches.map(\.number), sealed.map(\.number), "batches to be claimed")
        return TranscriptSealing(
            batches: batches.map { batch in
                .init(closedBy: batch.closedBy, cases: batch.cases.map { Int($0.id.low) })
            }, next: last.next, waiting: last.open.count)
    }
}

extension BatchingTranscript {
    /// A stage under the transcript's rule.
    public var stage: LedgerStage {
        LedgerStage(
            pipeline: "transcript", stage: "batch", rule: rule,
            ruleText: rule.trigger.json.written(), revision: 1, sla: sla)
    }
}

/// The rule on its own: what waits is a list in memory, and every firing does what the rule says.
public final class PureBatching: TranscriptSubject {
    fileprivate struct Waiting: Sendable {
        var number: Int
        var accepted: Timestamp
        var deadline: Timestamp
    }
    fileprivate struct State: Sendable {
        var now: Timestamp
        /// In the order of arrival.
        var waiting: [Waiting] = []
        var flushRequested: Timestamp?
        var lastFired: Timestamp?
    }
    private let rule: BatchingRule
    private let sla: Duration
    private let state: Mutex<State>

    public init(_ transcript: BatchingTranscript) {
        rule = transcript.rule
        sla = transcript.sla
        state = Mutex(State(now: transcript.start))
    }

    public func accept(_ cases: [TranscriptCase]) {
        state.withLock { state in
            for item in cases {
                state.waiting.append(
                    Waiting(
                        number: item.number, accepted: state.now,
                        deadline: item.deadline ?? state.now.advanced(by: sla)))
            }
        }
    }

    public func advance(to instant: Timestamp) { state.withLock { $0.now = instant } }

    public func flush() { state.withLock { $0.flushRequested = $0.now } }

    public func seal() -> TranscriptSealing {
        state.withLock { state in
            var batches: [TranscriptSealing.Batch] = []
            while true {
                let open = state.openBatch(rule)
                switch rule.decide(open, now: state.now) {
                case .wait(let next):
                    return TranscriptSealing(batches: batches, next: next, waiting: open.count)
                case .fire(let firing): batches += state.fire(firing, rule)
                }
            }
        }
    }
}

extension PureBatching.State {
    fileprivate func openBatch(_ rule: BatchingRule) -> OpenBatch {
        let oldest = waiting.first?.accepted
        let flush = flushRequested.flatMap { flush in
            oldest.flatMap { flush >= $0 ? flush : nil }
        }
        return OpenBatch(
            count: min(waiting.count, rule.countBound), oldest: oldest,
            newest: rule.needsNewest ? waiting.last?.accepted : nil,
            earliestDeadline: waiting.map(\.deadline).min(), flushRequested: flush,
            lastFired: lastFired)
    }

    fileprivate mutating func fire(_ firing: Firing, _ rule: BatchingRule) -> [TranscriptSealing
        .Batch]
    {
        lastFired = now
        let urgent = waiting.sorted { ($0.deadline, $0.number) < ($1.deadline, $1.number) }
            .map(\.number)
        switch firing {
        case .full(let reason, let size):
            let taken = Array(urgent.prefix(size))
            waiting.removeAll { taken.contains($0.number) }
            return [.init(closedBy: reason, cases: taken)]
        case .drain(let reason):
            flushRequested = nil
            waiting = []
            return stride(from: 0, to: urgent.count, by: rule.maxBatch).map { start in
                let end = min(start + rule.maxBatch, urgent.count)
                return .init(closedBy: reason, cases: Array(urgent[start..<end]))
            }
        }
    }
}

internal import Batching
public import PipelineCore
internal import Synchronization

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

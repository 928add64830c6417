internal import Batching
internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// An accumulate without a ledger: records wait in memory, their acknowledgements open, until the
/// rule fires.
final class MemoryAccumulator: Buffer {
    private let rule: BatchingRule
    private let clock: PipelineClock
    private let held: Mutex<HeldRecords>
    private let changed = Signal()
    /// Sent when a firing has made room.
    private let room = Signal()

    init(rule: BatchingRule, clock: PipelineClock) {
        self.rule = rule
        self.clock = clock
        held = Mutex(HeldRecords())
    }

    /// Records that may be held: a full batch and the next; more have to wait upstream.
    private var capacity: Int { 2 * max(rule.countBound, rule.maxBatch) }

    func run(
        receiving receive: @escaping @Sendable () async throws -> Chunk?, into outlet: Outlet
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                while let chunk = try await receive() {
                    while held.withLock({ $0.count }) >= capacity { try await room.wait() }
                    held.withLock { $0.add(chunk, at: clock.timestamp) }
                    changed.send()
                }
                held.withLock { $0.isFinished = true }
                changed.send()
            }
            group.addTask { [self] in try await fire(into: outlet) }
            try await group.waitForAllOrFirstFailure()
        }
    }

    private func fire(into outlet: Outlet) async throws {
        while true {
            let now = clock.timestamp
            let (decision, isFinished) = held.withLock { held in
                if held.isIdle || held.isOverdue {
                    return (SealingDecision.fire(.drain(closedBy: "idle")), held.isFinished)
                }
                return (rule.decide(held.openBatch, now: now), held.isFinished)
            }
            switch decision {
            case .fire(let firing):
                try await send(firing, at: now, into: outlet)
            case .wait(let until):
                if isFinished {
                    return try await send(.drain(closedBy: "end"), at: now, into: outlet)
                }
                guard let until else {
                    try await changed.wait()
                    continue
                }
                let pause = max(now.duration(to: until), .milliseconds(1))
                try await changed.wait(until: clock.now.advanced(by: pause), clock: clock)
            }
        }
    }

    private func send(_ firing: Firing, at now: Timestamp, into outlet: Outlet) async throws {
        let chunks = held.withLock { held in
            if held.count > 0 { held.lastFired = now }
            if case .full(_, let size) = firing { return held.take(size).map { [$0] } ?? [] }
            var chunks: [Chunk] = []
            while let chunk = held.take(rule.maxBatch) { chunks.append(chunk) }
            return chunks
        }
        for chunk in chunks { try await outlet.send(chunk) }
        room.send()
    }
}

/// Records that wait in memory, and the acknowledgements that they belong to.
struct HeldRecords: Sendable {
    /// Chunks without records that may wait behind records; more are not left waiting.
    private static let maxIdle = 1024

    private struct Held: Sendable {
        var record: Record
        var arrived: Timestamp
        var share: SharedAcknowledgement
    }
    /// What a chunk does to positions, and after how many records of all that were ever held.
    private struct Step: Sendable {
        var before: Int
        var after: Int
        var advances: [PositionAdvance]
        /// The acknowledgement of a chunk without records.
        var idle: SharedAcknowledgement?
    }
    private var waiting: [Held] = []
    /// In order of arrival: positions move as far as the records before them have gone.
    private var steps: [Step] = []
    private var taken = 0
    private var idleCount = 0
    var lastFired: Timestamp?
    var isFinished = false

    /// Records that wait.
    var count: Int { waiting.count }
    /// Only chunks without records are left: nothing has to be waited for.
    var isIdle: Bool { waiting.isEmpty && !steps.isEmpty }
    /// So many chunks without records wait that a rule that does not count them has to stand back.
    var isOverdue: Bool { idleCount >= Self.maxIdle }

    var openBatch: OpenBatch {
        OpenBatch(
            count: count, oldest: waiting.first?.arrived, newest: waiting.last?.arrived,
            earliestDeadline: waiting.lazy.compactMap(\.record.deadline).min(),
            lastFired: lastFired)
    }

    mutating func add(_ chunk: Chunk, at now: Timestamp) {
        let share = SharedAcknowledgement(chunk.acknowledgement, parts: max(chunk.records.count, 1))
        let before = taken + waiting.count
        for record in chunk.records {
            waiting.append(Held(record: record, arrived: now, share: share))
        }
        let isEmpty = chunk.records.isEmpty
        if isEmpty { idleCount += 1 }
        guard isEmpty || !chunk.advances.isEmpty else { return }
        steps.append(
            Step(
                before: before, after: taken + waiting.count, advances: chunk.advances,
                idle: isEmpty ? share : nil))
    }

    /// The next records as one chunk, with the positions of what is in it; `nil` when nothing
    /// waits.
    mutating func take(_ limit: Int) -> Chunk? {
        if waiting.isEmpty && steps.isEmpty { return nil }
        let batch = waiting.prefix(limit)
        taken += batch.count
        waiting.removeFirst(batch.count)
        let (moved, idle) = takeSteps()
        let records = batch.enumerated().map { index, held in
            var record = held.record
            record.ordinal = index
            return record
        }
        let acknowledgement = Acknowledgement(
            JoinedAcknowledgement(
                members: batch.map { .init(share: $0.share, ordinal: $0.record.ordinal) },
                idle: idle))
        return Chunk(records: records, advances: moved, acknowledgement: acknowledgement)
    }

    /// The steps of chunks that are complete now, and the first part of one that is not: a record
    /// and the position behind it go together, or a crash between two batches would repeat the
    /// first.
    private mutating func takeSteps() -> ([PositionAdvance], [SharedAcknowledgement]) {
        var moved: [PositionAdvance] = []
        var idle: [SharedAcknowledgement] = []
        var complete = 0
        for step in steps {
            guard step.after <= taken else { break }
            moved.join(step.advances)
            if let share = step.idle { idle.append(share) }
            complete += 1
        }
        steps.removeFirst(complete)
        idleCount -= idle.count
        if let step = steps.first, step.before < taken {
            moved.join(cutFirstStep(rest: waiting.prefix(step.after - taken).map(\.record.origin)))
        }
        return (moved, idle)
    }

    /// Splits the first step before the first of the chunk's records that still wait, in each
    /// partition: a chunk is of one log.
    private mutating func cutFirstStep(rest: [Origin]) -> [PositionAdvance] {
        var first: [PositionAdvance] = []
        steps[0].advances = steps[0].advances.compactMap { advance in
            let next = rest.first { $0.partition == advance.partition }
            guard let next else {
                first.append(advance)
                return nil
            }
            var (early, late) = (advance, advance)
            early.next = next.offset
            late.expected = next.offset
            if early.next > early.expected { first.append(early) }
            return late
        }
        return first
    }
}

extension [PositionAdvance] {
    /// Steps of the same partition that continue each other become one; others stay, for the store
    /// to refuse.
    fileprivate mutating func join(_ later: [PositionAdvance]) {
        for step in later {
            let earlier = lastIndex {
                $0.source == step.source && $0.partition == step.partition
            }
            if let earlier, self[earlier].next == step.expected {
                self[earlier].next = step.next
            } else {
                append(step)
            }
        }
    }
}

/// An acknowledgement whose records went into several chunks: it settles when the last part has.
final class SharedAcknowledgement: Sendable {
    private struct State {
        var open: Int
        var failure: PipelineError?
    }
    let acknowledgement: Acknowledgement
    private let state: Mutex<State>

    init(_ acknowledgement: Acknowledgement, parts: Int) {
        self.acknowledgement = acknowledgement
        state = Mutex(State(open: parts))
    }

    func settle(_ settlement: Settlement) {
        let final: Settlement? = state.withLock { state in
            state.open -= 1
            if case .failed(let error) = settlement { state.failure = error }
            if state.open > 0 { return nil }
            return state.failure.map { .failed($0) } ?? .acknowledged
        }
        if let final { acknowledgement.settle(final) }
    }
}

/// The acknowledgement of a chunk whose records came from several chunks.
struct JoinedAcknowledgement: AcknowledgementHandler {
    struct Member: Sendable {
        var share: SharedAcknowledgement
        /// The record's ordinal in the chunk that it came with.
        var ordinal: Int
    }
    /// By the records' ordinals in the joined chunk.
    let members: [Member]
    /// Those of chunks without records.
    let idle: [SharedAcknowledgement]

    func reject(_ rejections: [Rejection]) async throws {
        for rejection in rejections {
            let member = members[rejection.record.ordinal]
            var original = rejection
            original.record.ordinal = member.ordinal
            try await member.share.acknowledgement.reject([original])
        }
    }

    func settled(_ settlement: Settlement) {
        for member in members { member.share.settle(settlement) }
        for share in idle { share.settle(settlement) }
    }
}

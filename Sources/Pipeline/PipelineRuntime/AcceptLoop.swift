internal import Logging
internal import PipelineCore

/// Hands chunks to a barrier's ledger, in order and a few in flight, and settles each when it is
/// safe.
struct AcceptLoop: Sendable {
    private let barrier: RunningBarrier
    private let environment: RunEnvironment
    /// Hears what keeps the pipeline from taking in; `nil` when nothing does any more.
    private let blocked: @Sendable (PipelineError?) -> Void
    let window: ChunkWindow
    private let settler: Settler
    private var refusals: Outage { settler.refusals }

    /// Settles what the ledger has accepted, by whichever way it was handed in.
    private struct Settler: Sendable {
        let barrier: RunningBarrier
        let refusals: Outage
        let loop: LoopProgress?
        let accepting: String
        let condition: RunCondition
        let blocked: @Sendable (PipelineError?) -> Void

        /// Whatever has failed before, something has been accepted now.
        func works() { if condition.isBlocked { blocked(nil) } }

        func settle(_ chunk: Chunk, accepting records: [Record], _ counts: AcceptedCounts) {
            loop?.begins(accepting)
            works()
            chunk.acknowledgement.settle(.acknowledged)
            if !records.isEmpty { refusals.succeeded() }
            barrier.accepted(counts, of: records)
        }
    }

    /// - Parameter ready: takes the next chunk, if one lies ready.
    init(
        barrier: RunningBarrier, environment: RunEnvironment,
        blocked: @escaping @Sendable (PipelineError?) -> Void = { _ in },
        ready: @escaping @Sendable () -> Chunk? = { nil }
    ) {
        self.barrier = barrier
        self.environment = environment
        self.blocked = blocked
        var logger = environment.logger
        logger[metadataKey: "stage"] = "\(barrier.id)"
        let settler = Settler(
            barrier: barrier,
            refusals: .ofRefusals(
                at: barrier.id, among: environment.outages.scoped(to: "", logger: logger)),
            loop: environment.loop, accepting: "stage \(barrier.id): accept",
            condition: environment.condition, blocked: blocked)
        self.settler = settler
        window = ChunkWindow {
            guard let chunk = ready() else { return nil }
            Self.observe(chunk, at: barrier.id, environment)
            return chunk
        } accepted: { chunk, counts in
            settler.settle(chunk, accepting: chunk.records, counts)
        }
    }

    /// - Parameter receive: waits for the next chunk; `nil` at the end.
    func run(receiving receive: () async throws -> Chunk?) async throws {
        while let chunk = try await receive() {
            defer { environment.loop?.rests() }
            guard chunk.acknowledgement.isAwaited else {
                chunk.acknowledgement.settle(.failed(Self.abandoned))
                continue
            }
            Self.observe(chunk, at: barrier.id, environment)
            window.add(chunk)
            environment.loop?.begins(settler.accepting)
            do {
                try await barrier.ledger.accept(from: window)
                if let failure = window.failure { throw failure }
            } catch let error as PipelineError where error.disposition != .fatal {
                // Each that is left finds out by itself.
            }
            for chunk in window.left() { try await accept(chunk) }
        }
    }

    /// Accepts one that is left, however often it takes.
    private func accept(_ chunk: Chunk) async throws {
        do {
            try await environment.retrying(
                "stage \(barrier.id): accept", isWanted: { chunk.acknowledgement.isAwaited },
                whileBlocked: blocked
            ) { try await attempt(chunk) }
            settler.works()
        } catch let error as PipelineError where error.disposition == .fenced {
            environment.giveUp(chunk, error, at: barrier.id)
        } catch let error as PipelineError where error.disposition == .retryable {
            // Its callers have been told that nothing is known.
            environment.condition.gaveUp(at: environment.clock.now)
            chunk.acknowledgement.settle(.failed(error))
        }
        window.forget(chunk)
    }

    /// Hands in one chunk by itself, without what is in conflict or refused, and settles it.
    func attempt(_ chunk: Chunk) async throws {
        var records = chunk.records
        while true {
            if records.isEmpty && chunk.advances.isEmpty {
                return chunk.acknowledgement.settle(.acknowledged)
            }
            do {
                switch try await handIn(chunk, records) {
                case .accepted(let counts):
                    return settler.settle(chunk, accepting: records, counts)
                case .conflicts(let indices):
                    // Nothing was written yet: the conflicts are kept first, so that no crash can
                    // lose them.
                    try await chunk.acknowledgement.reject(indices.map { conflict(records[$0]) })
                    records.remove(at: indices)
                }
            } catch let error as PipelineError where error.disposition == .permanent {
                if records.isEmpty { throw error }
                try await acceptParts(of: chunk, records, refusedAs: error)
                records = []
            }
        }
    }

    private func handIn(_ chunk: Chunk, _ records: [Record]) async throws -> Acceptance {
        do {
            return try await accept(try window.submissions(of: chunk, records))
        } catch let error as PipelineError where error.disposition == .retryable {
            window.lostAnswer(of: chunk)
            throw error
        }
    }

    /// - Throws: ``PipelineError`` `ledger-mismatch`, fatal, for conflicts that name no case of
    ///   these.
    private func accept(_ submissions: Submissions) async throws -> Acceptance {
        let acceptance = try await barrier.ledger.accept(submissions)
        guard case .conflicts(let indices) = acceptance else { return acceptance }
        guard !indices.isEmpty, indices.allSatisfy(submissions.ids.indices.contains) else {
            throw PipelineError.fatal(
                .ledgerMismatch,
                "stage \(barrier.id): the ledger finds conflicts at \(indices) of \(submissions.count) cases"
            )
        }
        return acceptance
    }

    /// Accepts what the store takes of a chunk that it refuses as a whole, and rejects the rest.
    ///
    /// Positions stand still meanwhile: they move when the refused records are kept. After a crash
    /// in between the accepted ones come again, as repeats.
    private func acceptParts(
        of chunk: Chunk, _ records: [Record], refusedAs error: PipelineError
    ) async throws {
        let standing = chunk.advances.map { advance in
            var advance = advance
            advance.next = advance.expected
            return advance
        }
        var rejections: [Int: Rejection] = [:]
        let refused = try await records.refused(as: error) { part in
            var part = Array(part)
            while true {
                let submissions = try Submissions(records: part, advances: standing)
                switch try await accept(submissions) {
                case .accepted(let counts): return barrier.accepted(counts, of: part)
                case .conflicts(let indices):
                    for index in indices {
                        rejections[part[index].ordinal] = conflict(part[index])
                    }
                    part.remove(at: indices)
                }
            }
        }
        if records.areRefusedAlike(refused) {
            refusals.failed(refused[0].error, metadata: ["records": "\(records.count)"])
        } else {
            refusals.succeeded()
        }
        for (record, error) in refused {
            rejections[record.ordinal] = Rejection(
                record, stage: barrier.id, code: error.code, reason: error.message)
        }
        try await chunk.acknowledgement.reject(
            rejections.sorted { $0.key < $1.key }.map(\.value))
    }

    private func conflict(_ record: Record) -> Rejection {
        Rejection(
            record, stage: barrier.id, code: .conflict,
            reason: "case \(record.id?.description ?? "") is known with other parameters")
    }

    private static let abandoned = PipelineError.retryable(
        .abandoned, "nobody waited for the request any more")

    /// Tells the observer how long the chunk takes from now on until it is safe.
    private static func observe(_ chunk: Chunk, at stage: String, _ environment: RunEnvironment) {
        let start = environment.clock.now
        let count = chunk.records.count
        chunk.acknowledgement.observe { settlement in
            guard case .acknowledged = settlement else { return }
            environment.observer.passed(
                stage: stage, records: count, took: start.duration(to: environment.clock.now))
        }
    }
}

extension [Record] {
    fileprivate mutating func remove(at indices: [Int]) {
        let gone = Set(indices)
        self = enumerated().filter { !gone.contains($0.offset) }.map(\.element)
    }
}

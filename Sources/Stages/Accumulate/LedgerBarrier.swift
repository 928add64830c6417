internal import Batching
internal import Ledger
internal import Logging
internal import PipelineCore
internal import Synchronization

/// A barrier over a durable ledger.
final class LedgerBarrier: Barrier {
    /// A killed worker's announcements wait that long at most, however long its batches do: somebody else makes them
    /// with the same bytes, so that an early change of hands costs nothing.
    static let longestDeliveryLease: Duration = .seconds(60)

    let ledger: any Ledger
    let rule: BatchingRule
    let lease: Duration
    let poll: Duration
    let retention: Duration?
    let context: StageContext
    /// Rung when the rule may fire earlier than the sealing loop expects.
    let ruleChanged = Doorbell()
    /// Rung when this process has sealed batches.
    let sealed = Doorbell()
    /// Rung when this process has committed outcomes; each sink has its own.
    let committed = Mutex<[String: Doorbell]>([:])
    let forecast: Mutex<SealingForecast>
    /// Opens when the rule has been evaluated for the first time.
    let hasLooked = Latch()
    private let refusals: Outage
    /// How often to look for what is to be deleted.
    static let purgeInterval = Duration.seconds(60)
    /// How often to look where no other process can have done anything.
    private static let idlePoll = Duration.hours(1)

    init(
        ledger: any Ledger, rule: BatchingRule, lease: Duration, poll: Duration,
        retention: Duration?, context: StageContext
    ) {
        self.ledger = ledger
        self.rule = rule
        self.lease = lease
        let isTold = context.isAlone || context.neighbours != nil
        self.poll = isTold ? max(poll, Self.idlePoll) : poll
        self.retention = retention
        self.context = context
        forecast = Mutex(SealingForecast(rule: rule))
        refusals = .ofRefusals(in: context)
        context.neighbours?.join(self) { [weak self] in self?.hear($0) }
    }

    private func hear(_ news: Neighbours.News) {
        switch news {
        case .arrived(let count, let earliest): note(count, earliestDeadline: earliest)
        case .sealed: sealed.ring()
        case .committed(let sink): committed(sink).ring()
        }
    }

    func tell(_ news: Neighbours.News) { context.neighbours?.tell(news, from: self) }

    var deliveryLease: Duration { min(lease, Self.longestDeliveryLease) }
    var positions: (any PositionStore)? { ledger }
    var reader: (any CaseReader)? { ledger }
    var parked: (any ParkedOutcomes)? { ledger }

    func prepare() async throws {
        for state in try await ledger.register() {
            context.logger.warning(
                "the store holds open work of a stage that is not among this process's files: nobody works on it unless another process runs its file",
                metadata: [
                    "stage": "\(context.stage)", "of": "\(state.name)",
                    "holds": "\(state.openWork)",
                    "remedy":
                        "run its file, too; or `penstock migrate --rename \(state.name)=PIPELINE/STAGE`, `--abandon \(state.name)`",
                ])
        }
    }

    func accept(_ chunk: Chunk) async throws {
        var records = chunk.records
        while true {
            if records.isEmpty && chunk.advances.isEmpty {
                return chunk.delivery.settle(.acknowledged)
            }
            do {
                switch try await ledger.accept(Submissions(records, chunk.advances)) {
                case .accepted(let counts): return settle(chunk, counts, of: records)
                case .conflicts(let indices):
                    // Nothing was written yet: the conflicts are kept first, so that no crash can lose them.
                    try await chunk.delivery.reject(indices.map { conflict(records[$0]) })
                    records.remove(at: indices)
                }
            } catch let error as PipelineError where error.disposition == .permanent {
                if records.isEmpty { throw error }
                try await acceptParts(of: chunk, records, refusedAs: error)
                records = []
            }
        }
    }

    /// Accepts what the store takes of a chunk that it refuses as a whole, and rejects the rest.
    ///
    /// Positions stand still meanwhile: they move when the refused records are kept. After a crash in between the
    /// accepted ones come again, as repeats.
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
                switch try await ledger.accept(Submissions(part, standing)) {
                case .accepted(let counts): return note(counts, of: part)
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
                record, stage: context.stage, code: error.code, reason: error.message)
        }
        try await chunk.delivery.reject(
            rejections.sorted { $0.key < $1.key }.map(\.value))
    }

    func accept(rowFrom next: @escaping @Sendable () -> Chunk?) async throws {
        let row = SubmissionRow(from: next)
        try await ledger.accept {
            row.next()
        } answered: { [self] counts in
            if let chunk = row.answered(isAccepted: counts != nil), let counts {
                settle(chunk, counts, of: chunk.records)
            }
        }
    }

    private func settle(_ chunk: Chunk, _ counts: AcceptedCounts, of records: [Record]) {
        chunk.delivery.settle(.acknowledged)
        if !records.isEmpty { refusals.succeeded() }
        note(counts, of: records)
    }

    private func conflict(_ record: Record) -> Rejection {
        Rejection(
            record, stage: context.stage, code: "conflict",
            reason: "case \(record.id?.description ?? "") is known with other parameters")
    }

    /// Wakes the sealing loop when what has arrived may make the rule fire.
    private func note(_ counts: AcceptedCounts, of records: [Record]) {
        let new = counts.new + counts.reopened
        if new == 0 { return }
        let earliest = records.lazy.compactMap(\.deadline).min()
        note(new, earliestDeadline: earliest)
        tell(.arrived(new, earliestDeadline: earliest))
    }

    private func note(_ new: Int, earliestDeadline earliest: Timestamp?) {
        let isDue = forecast.withLock { forecast in
            forecast.add(
                new, earliestDeadline: earliest, sla: context.sla, at: context.clock.now)
        }
        if isDue { ruleChanged.ring() }
    }

    func flush() async throws {
        try await ledger.requestFlush()
        ruleChanged.ring()
    }

    func isIdle() async throws -> Bool {
        let summary = try await ledger.summary()
        return summary.pending == 0 && summary.openBatches == 0 && summary.undelivered == 0
    }

    func committed(_ sink: String) -> Doorbell {
        committed.withLock { bells in
            if let bell = bells[sink] { return bell }
            let bell = Doorbell()
            bells[sink] = bell
            return bell
        }
    }
}

extension [Record] {
    fileprivate mutating func remove(at indices: [Int]) {
        let gone = Set(indices)
        self = enumerated().filter { !gone.contains($0.offset) }.map(\.element)
    }
}

internal import AdminMessages
internal import Calendar
internal import PipelineCore
internal import Protobuf

/// What operators see, as the admin service's messages have it.
extension AdminStage {
    init(_ view: StageView) {
        self.init()
        pipeline = view.pipeline
        stage = view.stage
        clock = .init(view.overview.clock)
        ruleRevision = view.overview.revision
        open = .with {
            let open = view.overview.open
            $0.cases = Int32(clamping: open.count)
            $0.fullAt = Int32(clamping: view.fullBatch ?? 0)
            $0.oldestAcceptedAt = open.oldest.message
            $0.earliestDeadline = open.earliestDeadline.message
            $0.firesAt = (view.next?.at).message
            $0.firesBy = view.next?.closedBy ?? ""
            $0.flushRequestedAt = open.flushRequested.message
            $0.lastFiredAt = open.lastFired.message
            $0.hasManualTrigger = view.isManual
        }
        sealedBatches = Int32(clamping: view.overview.sealed)
        oldestSealedAt = view.overview.oldestSealed.message
        runningBatches = Int32(clamping: view.overview.running)
        undelivered = view.overview.undelivered.sorted { $0.key < $1.key }.map { sink, waiting in
            .with {
                $0.sink = sink
                $0.batches = Int32(clamping: waiting.count)
                $0.oldestCommittedAt = .init(waiting.oldest)
            }
        }
        parked = view.parked.sorted { $0.key < $1.key }.map { sink, outcomes in
            .with {
                $0.sink = sink
                $0.outcomes = Int32(clamping: outcomes)
            }
        }
        pauses = view.pauses.sorted { $0.key.text < $1.key.text }.map { part, pause in
            .with {
                $0.part = part.text
                $0.since = .init(pause.since)
                $0.reason = pause.reason
            }
        }
        batches = view.batches.map { AdminBatch($0) }
    }

    /// What the other side saw.
    var view: StageView {
        let open = open ?? AdminOpenBatch()
        let overview = LedgerOverview(
            clock: clock.timestamp ?? Timestamp(microseconds: 0),
            open: OpenBatch(
                count: Int(open.cases), oldest: open.oldestAcceptedAt.timestamp,
                earliestDeadline: open.earliestDeadline.timestamp,
                flushRequested: open.flushRequestedAt.timestamp,
                lastFired: open.lastFiredAt.timestamp),
            revision: ruleRevision, sealed: Int(sealedBatches),
            oldestSealed: oldestSealedAt.timestamp, running: Int(runningBatches),
            undelivered: Dictionary(
                undelivered.compactMap { waiting in
                    waiting.oldestCommittedAt.timestamp.map {
                        (waiting.sink, .init(count: Int(waiting.batches), oldest: $0))
                    }
                }, uniquingKeysWith: { first, _ in first }))
        return StageView(
            pipeline: pipeline, stage: stage, overview: overview,
            next: open.firesAt.timestamp.map { ($0, open.firesBy) },
            fullBatch: open.fullAt == 0 ? nil : Int(open.fullAt), isManual: open.hasManualTrigger,
            batches: batches.map(\.record),
            parked: Dictionary(
                parked.map { ($0.sink, Int($0.outcomes)) }, uniquingKeysWith: { $1 }),
            pauses: Dictionary(
                pauses.compactMap { pause in
                    LedgerPart(text: pause.part).map {
                        (
                            $0,
                            LedgerPause(
                                since: pause.since.timestamp ?? Timestamp(microseconds: 0),
                                reason: pause.reason)
                        )
                    }
                }, uniquingKeysWith: { $1 }))
    }
}

extension AdminBatch {
    init(_ record: BatchRecord) {
        self.init()
        batch = record.number
        state = .init(record.state)
        cases = Int32(clamping: record.cases)
        closedBy = record.closedBy
        ruleRevision = record.revision
        sealedAt = .init(record.sealedAt)
        oldestAcceptedAt = record.oldestAccepted.message
        earliestDeadline = record.earliestDeadline.message
        attempts = Int32(clamping: record.attempts)
        worker = record.worker ?? ""
        leaseUntil = record.leaseUntil.message
        notBefore = record.notBefore.message
        lastError = record.lastError ?? ""
        committedAt = record.committedAt.message
        run = record.took.map { Google_Protobuf_Duration($0) }
        rowsRead = record.rowsRead
        deliveries = record.deliveries.map { delivery in
            .with {
                $0.sink = delivery.sink
                $0.deliveredAt = delivery.deliveredAt.message
                $0.attempts = Int32(clamping: delivery.attempts)
                $0.worker = delivery.worker ?? ""
                $0.parked = Int32(clamping: delivery.parked)
            }
        }
    }

    var record: BatchRecord {
        BatchRecord(
            number: batch, state: state.ofRecord, cases: Int(cases), closedBy: closedBy,
            revision: ruleRevision, sealedAt: sealedAt.timestamp ?? Timestamp(microseconds: 0),
            oldestAccepted: oldestAcceptedAt.timestamp,
            earliestDeadline: earliestDeadline.timestamp, attempts: Int(attempts),
            worker: worker.isEmpty ? nil : worker, leaseUntil: leaseUntil.timestamp,
            notBefore: notBefore.timestamp, lastError: lastError.isEmpty ? nil : lastError,
            committedAt: committedAt.timestamp, took: run.map { $0.duration },
            rowsRead: rowsRead,
            deliveries: deliveries.map {
                DeliveryRecord(
                    sink: $0.sink, deliveredAt: $0.deliveredAt.timestamp,
                    attempts: Int($0.attempts), worker: $0.worker.isEmpty ? nil : $0.worker,
                    parked: Int($0.parked))
            })
    }
}

extension AdminBatchState {
    fileprivate init(_ state: BatchRecord.State) {
        self =
            switch state {
            case .sealed: .sealed
            case .running: .running
            case .delivering: .delivering
            case .done: .done
            }
    }

    fileprivate var ofRecord: BatchRecord.State {
        switch self {
        case .running: .running
        case .delivering: .delivering
        case .done: .done
        case .sealed, .unspecified, .unrecognized: .sealed
        }
    }
}

extension AdminCaseState {
    init(_ state: CaseState?) {
        self =
            switch state {
            case .pending?: .pending
            case .sealed?: .sealed
            case .running?: .running
            case .succeeded?: .succeeded
            case .failed?: .failed
            case .cancelled?: .cancelled
            case .expired?: .expired
            case nil: .unspecified
            }
    }

    /// `nil` for one that is not known.
    var ofCase: CaseState? {
        switch self {
        case .pending: .pending
        case .sealed: .sealed
        case .running: .running
        case .succeeded: .succeeded
        case .failed: .failed
        case .cancelled: .cancelled
        case .expired: .expired
        case .unspecified, .unrecognized: nil
        }
    }
}

extension AdminCaseAttempt {
    init(_ attempt: PipelineCore.CaseAttempt) {
        self.init()
        self.attempt = Int32(clamping: attempt.revision)
        state = .init(attempt.state)
        acceptedAt = .init(attempt.acceptedAt)
        deadline = .init(attempt.deadline)
        batch = attempt.batch ?? 0
        outcomeID = attempt.outcomeID?.description ?? ""
        writtenAt = attempt.writtenAt.message
        dataAsOf = attempt.dataAsOf.message
        reason = attempt.reason ?? ""
    }

    var ofHistory: PipelineCore.CaseAttempt {
        let epoch = Timestamp(microseconds: 0)
        return PipelineCore.CaseAttempt(
            revision: Int(attempt), state: state.ofCase ?? .pending,
            acceptedAt: acceptedAt.timestamp ?? epoch, deadline: deadline.timestamp ?? epoch,
            batch: batch == 0 ? nil : batch, outcomeID: UUID(outcomeID[...]),
            writtenAt: writtenAt.timestamp, dataAsOf: dataAsOf.timestamp,
            reason: reason.isEmpty ? nil : reason)
    }
}

extension [LogPositions] {
    var messages: [AdminPosition] {
        flatMap { log in
            log.next.sorted { $0.key < $1.key }.map { partition, offset in
                .with {
                    $0.log = log.log
                    $0.partition = partition
                    $0.offset = offset
                }
            }
        }
    }

    init(_ messages: [AdminPosition]) {
        self = []
        for message in messages { add(message.log, "", message.partition, message.offset) }
    }
}

extension Timestamp? {
    var message: Google_Protobuf_Timestamp? { map { .init($0) } }
}

extension Google_Protobuf_Timestamp? {
    var timestamp: Timestamp? {
        map { Timestamp(microseconds: $0.seconds * 1_000_000 + Int64($0.nanos) / 1_000) }
    }
}

extension Google_Protobuf_Timestamp {
    init(_ time: Timestamp) {
        self.init()
        let (seconds, part) = time.microseconds.flooredDivision(by: 1_000_000)
        self.seconds = seconds
        nanos = Int32(part) * 1_000
    }
}

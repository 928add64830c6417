public import ConversionReports
public import Ledger
internal import Logging
public import PipelineCore

/// A store as Penstock uses it: ledgers, events and reports in one place.
public protocol StandardStore: LedgerProvider, RecordStore, StateAdministration {
    var reports: any ReportStore { get }
    /// Creates or updates all tables. Safe to run again, and by two processes at once.
    func migrate() async throws
    /// Whether `run` migrates by itself: where nobody else could be using the store.
    var migratesItself: Bool { get }
    /// Whether opening the store would make none: a server's is there, or can't be reached.
    var isThere: Bool { get }
}

extension StandardStore {
    public func takes(_ kind: RecordKind) -> Bool { kind == .events }

    public func sink(for kind: RecordKind, context: StageContext) throws -> any RecordSink {
        guard takes(kind) else {
            throw PipelineError.fatal(
                .wrongKind, "stage \(context.stage): a store takes events, not \(kind)")
        }
        let folding = Outage(
            "stage \(context.stage): fold", "deltas were not folded", clock: context.clock,
            logger: context.logger)
        let store = reports.owned(
            byPipeline: context.pipeline, stage: context.stage, beside: context.owners)
        let refusals = Outage.ofRefusals(
            at: context.stage, clock: context.clock, logger: context.logger)
        return EventStoreSink(
            store: store, stage: context.stage, clock: context.clock,
            onRefusals: { error in
                if let error { refusals.failed(error) } else { refusals.succeeded() }
            }
        ) { error in
            if let error { folding.failed(error) } else { folding.succeeded() }
        }
    }
}

extension [ResourceNeed] {
    var topics: [TopicNeed] {
        compactMap { if case .topic(let need) = $0 { need } else { nil } }
    }
    var ledgers: [LedgerNeed] {
        compactMap { if case .ledger(let need) = $0 { need } else { nil } }
    }
    /// Whether somebody stores events, or reads what they add up to.
    var includeReports: Bool {
        contains { need in
            switch need {
            case .writing, .generation: true
            case .topic, .ledger, .reading: false
            }
        }
    }
}

extension ResourceNeed {
    /// Whether reports are read.
    var isGeneration: Bool { if case .generation = self { true } else { false } }
}

internal import Batching
public import ConfigurationDiagnostics
public import ConfigurationFields
internal import Ledger
internal import LocatedJSON
public import PipelineCore

/// `accumulate`: keeps what arrives until its rule seals a batch.
public struct AccumulateStage: SealingStage {
    private enum Durability: String, Choice { case ledger, none }

    public static let type = "accumulate"
    public static let role = StageRole.barrier
    public static let summary = "Keeps what arrives, durably, until its trigger seals a batch."
    public static var codes: [Diagnostic.Code] {
        [
            .missingStore, .unusedSetting, .idleRule, .countAboveBatch, .marginAboveSLA,
            .intervalAboveRule,
        ]
    }
    public static let remarks = StageRemarks(kept: .others("known already or never sealed"))
    public static let guarantee = """
        With a store, a chunk is settled by the transaction that inserts its cases and advances \
        its inputs' positions: from then on every case gets exactly one outcome, whatever is \
        killed. With "durability": "none" chunks stay open in memory until their batch has \
        settled: after a crash they are read again.
        """

    private let store: ResourceName?
    private let durability: Durability
    private let trigger: Trigger
    private let maxBatch: Int
    private let minInterval: Duration
    private let lease: Duration
    private let poll: Duration
    private let retention: Duration?
    private let revision: Int?

    public init(_ field: Fields) {
        store = field.optional("store", "Where the ledger is kept.", example: "store")
        durability = field(
            "durability", "`none` keeps batches in memory only, and their inputs unsettled.",
            default: .ledger)
        trigger = field(
            "trigger", "The rule that seals the open batch.",
            example: .any([.count(512), .maxAge(.seconds(12 * 3600))]))
        maxBatch = field(
            "max_batch", "Most cases in a batch.", unit: "cases", default: 512, in: 1...100_000)
        minInterval = field(
            "min_interval", "Least time between two firings, full batches and flushes excepted.",
            default: .zero, example: .seconds(10))
        lease = field(
            "lease",
            "How long a claimed batch is left to its worker without a sign of life.",
            default: .seconds(60), in: .seconds(1) ... .seconds(86_400))
        poll = field(
            "poll", "How often to look for what other processes have done.",
            default: .seconds(1), in: .milliseconds(10) ... .seconds(3600))
        retention = field.optional(
            "retention",
            "Deletes batches that were delivered so long ago, and lets their answers stay in caches no longer; kept for ever without.",
            example: .seconds(90 * 86_400))
        revision = field.optional(
            "revision",
            "Numbers the rule: a process with a lower one does not seal. Without it, the process that started last wins.",
            example: 2)
    }

    public var fullBatch: Int { rule.fullBatch }
    public var closingReasons: [String] { trigger.reasons }

    private var rule: BatchingRule {
        BatchingRule(trigger: trigger, maxBatch: maxBatch, minInterval: minInterval)
    }

    private var ruleText: String {
        JSON.object([
            ("trigger", trigger.json), ("max_batch", .number(maxBatch)),
            ("min_interval", .string(minInterval.text)),
        ]).written(.compact)
    }

    public func contract(in catalogue: Catalogue) -> StageContract {
        var contract = StageContract { [durability] input in
            switch (durability, input) {
            case (_, nil): .refuses("an accumulate stands behind an ingest")
            case (.ledger, .requests?): .yields(.batches)
            case (.ledger, let input?):
                .refuses(
                    "the ledger takes requests, not \(input); use a codec that reads requests, or \"durability\": \"none\""
                )
            case (.none, let input?): .yields(input)
            }
        }
        if let use { contract.uses = [use] }
        contract.retention = retention
        if durability == .ledger { contract.rejectionCodes = [.conflict] }
        contract.longestWait = { [trigger, minInterval, looking] sla in
            trigger.longestWait(sla: sla).map { max($0, minInterval) + looking }
        }
        // A worker that dies leaves its batch under a lease.
        contract.retryBudget = durability == .ledger ? lease : .zero
        contract.objections = objections + trigger.objections(field: "trigger")
        contract.promiseObjections = { [rule] in rule.objections(field: "trigger", sla: $0) }
        return contract
    }

    private var use: ResourceUse? {
        store.map {
            ResourceUse(
                "store", $0, .keepsLedger(rule: ruleText, revision: revision.map(Int64.init)))
        }
    }

    /// Until the process that seals has seen what another one took in, and a worker what that one
    /// sealed: twice a poll with its jitter.
    private var looking: Duration { durability == .ledger ? poll * 2.5 : .zero }

    private var objections: [StageContract.Objection] {
        var found: [StageContract.Objection] = []
        switch (durability, store) {
        case (.ledger, nil):
            found.append(
                .init(
                    field: "", code: .missingStore, "an accumulate keeps its cases in a \"store\"",
                    hint: "name one, or write \"durability\": \"none\" to keep them in memory only")
            )
        case (.none, .some):
            found.append(
                .unusedSetting(
                    "store", "with \"durability\": \"none\" nothing is kept in a store",
                    hint: "leave one of the two out"))
        default: break
        }
        return found
    }

    public func build(_ context: StageContext) throws -> StageInstance {
        guard durability == .ledger, let use else {
            return .buffer(MemoryAccumulator(rule: rule, clock: context.clock))
        }
        let provider = try context.resource(for: use, as: (any LedgerProvider).self)
        let ledger = try provider.ledger(for: ledgerStage(context))
        return .barrier(
            Barrier(
                ledger: ledger, sla: context.sla, lease: lease, poll: poll, retention: retention,
                isManual: trigger.isManual, fullBatch: rule.fullBatch
            ) { [rule] in rule.decide($0, now: $1) })
    }

    private func ledgerStage(_ context: StageContext) -> LedgerStage {
        LedgerStage(
            pipeline: context.pipeline, stage: context.stage, rule: rule,
            ruleText: ruleText, revision: revision.map(Int64.init), sla: context.sla,
            owners: context.owners)
    }
}

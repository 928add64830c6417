public import Batching
public import PipelineCore

/// Which stage a ledger serves, and under which rule.
public struct LedgerStage: Sendable, Hashable {
    public var pipeline: String
    public var stage: String
    public var rule: BatchingRule
    /// The rule as text, stored beside its revision.
    public var ruleText: String
    /// Grows with every change of the rule; a process with an older one does not seal. `nil`: one more than what is
    /// stored if the stored text is another one, else the stored.
    public var revision: Int64?
    /// For cases that name no deadline: this long after acceptance.
    public var sla: Duration
    /// The stages of the files at hand, this one among them; empty where that plays no part.
    public var owners: [StateOwner]
    public init(
        pipeline: String, stage: String, rule: BatchingRule, ruleText: String, revision: Int64?,
        sla: Duration, owners: [StateOwner] = []
    ) {
        self.pipeline = pipeline
        self.stage = stage
        self.rule = rule
        self.ruleText = ruleText
        self.revision = revision
        self.sla = sla
        self.owners = owners
    }
}

/// A store that can keep ledgers.
public protocol LedgerProvider: DeadLetterProvider {
    /// The ledger of a stage. Opens nothing: the first call does.
    func ledger(for stage: LedgerStage) throws -> any Ledger
    /// Creates or updates the ledger's tables. Safe to run again, and by two processes at once.
    func migrateLedger() async throws
    /// Creates the stage's row if there is none. The rule of one that is there stays as it is.
    /// - Throws: `fatal` `state-unowned` as ``Ledger/register()``.
    func enter(_ stage: LedgerNeed) async throws
}

extension LedgerProvider {
    /// Leaves it to ``Ledger/register()``.
    public func enter(_ stage: LedgerNeed) async throws {}
}

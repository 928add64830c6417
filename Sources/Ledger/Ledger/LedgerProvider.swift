public import Batching
public import PipelineCore

/// Which stage a ledger serves, and under which rule.
public struct LedgerStage: Sendable, Hashable {
    public var pipeline: String
    public var stage: String
    public var rule: BatchingRule
    /// The rule as text, stored beside its revision.
    public var ruleText: String
    /// Grows with every change of the rule; a process with an older one does not seal. `nil`: one
    /// more than what is stored if the stored text is another one, else the stored.
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

extension LedgerNeed {
    /// What of the ledger's state would be stranded, or is somebody else's.
    ///
    /// - Parameter stored: what the ledger holds, of all stages.
    public func findings(stored: [StageState]) -> [ResourceFinding] {
        if owners.isEmpty { return [] }
        let subject = ResourceNeed.ledger(self).subject
        // Other files may be run beside this one.
        let ownership = StateOwnership(owners: owners, stored: stored, isExclusive: false)
        let objections = ownership.objections(pipeline: pipeline, stage: stage)
        if !objections.isEmpty {
            return objections.map {
                ResourceFinding(subject, .wrong, $0.problem, hint: $0.remedy)
            }
        }
        return ownership.elsewhere.map {
            ResourceFinding(
                subject, .ok,
                "it holds \($0.openWork) of \($0.name), too: `run` has to have that file as well")
        }
    }

    /// What a ledger is going to make of the rule, see ``Ledger/register()``.
    ///
    /// - Parameter stored: the rule that the ledger has; `nil` for a new stage.
    public func finding(stored: (ruleText: String, revision: Int64)?) -> ResourceFinding {
        let subject = ResourceNeed.ledger(self).subject
        if mustExist {
            return stored == nil
                ? ResourceFinding(
                    subject, .wrong, "neither `run` nor `migrate` has made the stage there")
                : ResourceFinding(subject, .ok, "the stage is there")
        }
        guard let stored else {
            return ResourceFinding(
                subject, .ok, "a new stage, with revision \(revision ?? 1) of its rule")
        }
        let isSame = stored.ruleText == ruleText
        let next = revision ?? (isSame ? stored.revision : stored.revision + 1)
        if next < stored.revision {
            return ResourceFinding(
                subject, .wrong,
                "revision \(stored.revision) of the rule is in force: a process with \(next) does not seal",
                hint: "\"revision\": \(stored.revision + 1) makes this rule the newest")
        }
        if isSame {
            return ResourceFinding(
                subject, .ok, "this rule is in force, as revision \(stored.revision)")
        }
        if next == stored.revision {
            return ResourceFinding(
                subject, .wrong, "another rule is in force under the same revision, \(next)",
                hint: "\"revision\": \(next + 1) makes this rule the newest")
        }
        return ResourceFinding(
            subject, .ok,
            "another rule is in force, as revision \(stored.revision): `run` replaces it by this one, as \(next)"
        )
    }
}

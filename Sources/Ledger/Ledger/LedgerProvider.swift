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

/// The tables of a ledger that know names: what differs between stores. What is done with them is
/// the same on all.
public protocol StateTables {
    /// A stage's key in them.
    associatedtype Key: Sendable, Equatable
    typealias Row = (key: Key, state: StageState)

    /// What is kept, by stage.
    ///
    /// - Parameter name: a pipeline or a stage; `nil` for all.
    func stages(_ name: StateName?) throws -> [Row]
    /// Whether anything was ever accepted, or read up to somewhere.
    func holdsState(_ stage: Key) throws -> Bool
    func name(_ stage: Key, _ pipeline: String, _ part: String) throws
    func dropPositions(of stage: Key) throws
    /// How many of the batches that a sink has not got everything of are marked for the other one
    /// already.
    func batches(openTo sink: String, markedFor other: String, of stage: Key) throws -> Int
    /// Makes what a sink has not got another one's.
    func moveDeliveries(to sink: String, of stage: Key, to new: String) throws
    /// - Returns: how many.
    func moveDeadLetters(_ old: StateName, to new: StateName) throws -> Int
    /// Makes a pause that of another part, maybe of another stage; one that is there stays.
    func movePause(_ part: LedgerPart, of stage: Key, to new: LedgerPart, of other: Key) throws
    func dropPause(_ part: LedgerPart, of stage: Key) throws
    func note(_ action: String, by actor: String, on stage: Key) throws
}

extension StateTables {
    /// What the ledger holds, by stage.
    public func states() throws -> [StageState] {
        try stages(nil).map { row in
            var state = row.state
            state.hasHistory = try holdsState(row.key)
            return state
        }
    }

    /// Answers whose open work is not among the owners'.
    ///
    /// - Throws: `fatal` `state-unowned`.
    @discardableResult
    public func checkOwners(
        _ owners: [StateOwner], pipeline: String, stage: String, isExclusive: Bool
    ) throws -> [StageState] {
        if owners.isEmpty { return [] }
        let ownership = StateOwnership(
            owners: owners, stored: try states(), isExclusive: isExclusive)
        try ownership.check(pipeline: pipeline, stage: stage)
        return ownership.elsewhere
    }

    /// As ``StateAdministration/rename(_:isTrial:)``.
    public func rename(_ renaming: StateRenaming) throws -> [String] {
        let (old, new) = (renaming.old, renaming.new)
        var moved = try stages(old).compactMap { row in
            try move(row, to: (new.pipeline, new.part ?? row.state.stage), renaming)
        }
        if let id = old.part, let newID = new.part {
            for row in try stages(StateName(pipeline: old.pipeline)) {
                moved += try move(deliveriesTo: id, of: row, to: newID, renaming)
            }
        }
        let letters = try moveDeadLetters(old, to: new)
        if letters > 0 { moved.append("\(letters) dead letters of \(old) are kept for \(new) now") }
        return moved
    }

    /// Gives a stage's row another name, if it holds anything. A row of that name that holds
    /// nothing gets the old one in exchange: a process that knows it by its key must not lose it.
    private func move(
        _ row: Row, to new: (pipeline: String, stage: String), _ renaming: StateRenaming
    ) throws -> String? {
        let old = row.state
        guard (old.pipeline, old.stage) != new,
            try holdsState(row.key) || !old.pauses.isEmpty
        else { return nil }
        try renaming.check(.cases)
        if let other = try stages(StateName(pipeline: new.pipeline, part: new.stage)).first {
            if try holdsState(other.key) { throw PipelineError.stateOwned(other.state) }
            // Both are meant to hold it up.
            for part in other.state.pauses.keys {
                try movePause(part, of: other.key, to: part, of: row.key)
            }
            try name(row.key, "~", "\(row.key)")
            try name(other.key, old.pipeline, old.stage)
        }
        try name(row.key, new.pipeline, new.stage)
        let work = old.hasOpenWork ? " (\(old.openWork))" : ""
        let paused = old.pauses.isEmpty ? "" : ", and is paused as it was"
        return "\(old.name) is \(new.pipeline)/\(new.stage) now\(work)\(paused)"
    }

    /// What a sink has not got, and the pause of a sink or an intake.
    private func move(
        deliveriesTo id: String, of row: Row, to new: String, _ renaming: StateRenaming
    ) throws -> [String] {
        let state = row.state
        var moved: [String] = []
        let parts = [(LedgerPart.delivery(id), StateKind.deliveries), (.intake(id), .intake)]
            .filter { state.pauses[$0.0] != nil }
        let isOpen = state.openSinks.contains(id)
        if isOpen { try renaming.check(.deliveries) }
        for (_, kind) in parts { try renaming.check(kind) }
        if isOpen || !parts.isEmpty, renaming.new.pipeline != state.pipeline {
            throw PipelineError.fatal(
                .stateOwned,
                "what \(state.name) keeps for \(id) moves along with it: rename that first")
        }
        if isOpen {
            let both = try batches(openTo: id, markedFor: new, of: row.key)
            if both > 0 { throw PipelineError.sinkOwned(both, new, state) }
            try moveDeliveries(to: id, of: row.key, to: new)
            moved.append("\(state.name): \(state.openWork(of: id)) will go to \(new)")
        }
        for (part, _) in parts {
            let other = part.named(new)
            try movePause(part, of: row.key, to: other, of: row.key)
            moved.append("\(state.name): \(other.spoken) is paused now, as \(part.spoken) was")
        }
        return moved
    }

    /// As ``StateAdministration/resume(_:by:isTrial:)``.
    public func resume(
        _ name: StateName, by actor: String, isTrial: Bool
    ) throws -> [String] {
        try pauses(under: name, besides: []).map { row, part in
            if !isTrial {
                try note("end of the pause of \(part.spoken)", by: actor, on: row.key)
                try dropPause(part, of: row.key)
            }
            return part.spoken
        }
    }

    /// Ends the pauses under a name of whatever is not at hand.
    ///
    /// - Parameter isTrial: only says which.
    public func endPauses(
        under name: StateName, besides owners: [StateOwner], isTrial: Bool
    ) throws -> [String] {
        try pauses(under: name, besides: owners).map { row, part in
            if !isTrial { try dropPause(part, of: row.key) }
            return "\(row.state.name): the pause of \(part.spoken)"
        }
    }

    private func pauses(
        under name: StateName, besides owners: [StateOwner]
    ) throws -> [(row: Row, part: LedgerPart)] {
        try stages(StateName(pipeline: name.pipeline)).flatMap { row in
            let owner = owners.first {
                $0.pipeline == row.state.pipeline && $0.stage == row.state.stage
            }
            return row.state.pauses.keys.sorted { $0.text < $1.text }.filter { part in
                let isMeant = name.part.map { $0 == part.name || $0 == row.state.stage } ?? true
                return isMeant && owner?.has(part) != true
            }.map { (row, $0) }
        }
    }

    /// Lets go of what stages under a name, but for those at hand, have read and answered. Their
    /// finished cases are kept, under a name that no file can have.
    ///
    /// - Parameter isTrial: only says what would be let go.
    public func forget(
        _ name: StateName, besides owners: [StateOwner], isTrial: Bool
    ) throws -> [(stage: Key, sentence: String)] {
        try stages(name).compactMap { row in
            let state = row.state
            let isAtHand = owners.contains {
                $0.pipeline == state.pipeline && $0.stage == state.stage
            }
            if try isAtHand || !holdsState(row.key) { return nil }
            if !isTrial {
                try dropPositions(of: row.key)
                try self.name(row.key, "~", "\(state.name) \(row.key)")
            }
            return (row.key, "\(state.name): the memory of what it has read and answered")
        }
    }

    /// What is open under a name, with a sentence about each; `sink` is `nil` for all of a stage.
    public func openWork(
        under name: StateName
    ) throws -> [(stage: Key, sink: String?, sentence: String)] {
        let whole = try stages(name).filter(\.state.hasOpenWork).map {
            ($0.key, nil as String?, "\($0.state.name): \($0.state.openWork)")
        }
        guard let sink = name.part else { return whole }
        let others = try stages(StateName(pipeline: name.pipeline))
        return whole
            + others.filter { $0.state.openSinks.contains(sink) }.map {
                ($0.key, sink, "\($0.state.name): \($0.state.openWork(of: sink))")
            }
    }
}

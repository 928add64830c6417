public import PipelineCore

/// The tables of a ledger that know names: what differs between stores. What is done with them is
/// the same on all.
public protocol StateTables {
    /// A stage's key in them.
    associatedtype Key: Sendable
    typealias Row = (key: Key, state: StageState)

    /// What is kept, by stage.
    ///
    /// - Parameter name: a pipeline or a stage; `nil` for all.
    func stages(_ name: StateName?) throws -> [Row]
    /// Whether anything was ever accepted, or read up to somewhere.
    func holdsState(_ stage: Key) throws -> Bool
    func name(_ stage: Key, _ pipeline: String, _ part: String) throws
    /// How many of the batches that a sink has not got everything of are marked for the other one
    /// already.
    func batches(openTo sink: String, markedFor other: String, of stage: Key) throws -> Int
    /// Makes what a sink has not got another one's.
    func moveDeliveries(to sink: String, of stage: Key, to new: String) throws
    /// - Returns: how many.
    func moveDeadLetters(_ old: StateName, to new: StateName) throws -> Int
}

extension StateTables {
    /// What the ledger holds, by stage.
    public func states() throws -> [StageState] { try stages(nil).map(\.state) }

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

    /// As ``StateAdministration/rename(_:to:)``.
    public func rename(_ old: StateName, to new: StateName) throws -> [String] {
        var moved = try stages(old).compactMap { row in
            try move(row, to: (new.pipeline, new.part ?? row.state.stage))
        }
        if let sink = old.part, let newSink = new.part, old.pipeline == new.pipeline {
            moved += try stages(StateName(pipeline: old.pipeline)).compactMap {
                try move(deliveriesTo: sink, of: $0, to: newSink)
            }
        }
        let letters = try moveDeadLetters(old, to: new)
        if letters > 0 { moved.append("\(letters) dead letters of \(old) are kept for \(new) now") }
        return moved
    }

    /// Gives a stage's row another name, if it holds anything. A row of that name that holds
    /// nothing gets the old one in exchange: a process that knows it by its key must not lose it.
    private func move(_ row: Row, to new: (pipeline: String, stage: String)) throws -> String? {
        let old = row.state
        guard try holdsState(row.key), (old.pipeline, old.stage) != new else { return nil }
        if let other = try stages(StateName(pipeline: new.pipeline, part: new.stage)).first {
            if try holdsState(other.key) { throw PipelineError.stateOwned(other.state) }
            try name(row.key, "~", "\(row.key)")
            try name(other.key, old.pipeline, old.stage)
        }
        try name(row.key, new.pipeline, new.stage)
        let work = old.hasOpenWork ? " (\(old.openWork))" : ""
        return "\(old.name) is \(new.pipeline)/\(new.stage) now\(work)"
    }

    private func move(
        deliveriesTo sink: String, of row: Row, to new: String
    ) throws -> String? {
        guard row.state.openSinks.contains(sink) else { return nil }
        let both = try batches(openTo: sink, markedFor: new, of: row.key)
        if both > 0 { throw PipelineError.sinkOwned(both, new, row.state) }
        try moveDeliveries(to: sink, of: row.key, to: new)
        return "\(row.state.name): \(row.state.openWork(of: sink)) will go to \(new)"
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

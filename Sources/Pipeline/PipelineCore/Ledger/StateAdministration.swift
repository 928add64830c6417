/// A store that keeps state by names, for whoever changes them.
public protocol StateAdministration: Sendable {
    /// Moves what is kept under names to others, one renaming after the other: all of them, or
    /// none. Nothing is under an old name then: so it is when that is done already, or when there
    /// never was anything.
    ///
    /// - Parameter isTrial: takes everything back again: only says what would be moved.
    /// - Returns: what was moved, by renaming, in sentences without a full stop.
    /// - Throws: `fatal` `state-owned` when a new name has state of its own, or is one of what
    ///   keeps no such state.
    func rename(_ renamings: [StateRenaming], isTrial: Bool) async throws -> [[String]]

    /// Ends everything that is open under a name: cases are cancelled with that reason, deliveries
    /// given up, pauses ended. Of stages that are gone it forgets what they have read and answered,
    /// too: whatever reads the same begins anew.
    ///
    /// - Parameters:
    ///   - owners: stages that are at hand, and forget nothing.
    ///   - isTrial: only says what would be ended.
    /// - Returns: what was ended, in sentences without a full stop.
    func abandon(
        _ name: StateName, besides owners: [StateOwner], reason: String, isTrial: Bool
    ) async throws -> [String]

    /// Ends the pauses that are kept under a name, be it one that no file has any more, and notes
    /// it.
    ///
    /// - Parameters:
    ///   - actor: who asks for it.
    ///   - isTrial: only says which.
    /// - Returns: what goes on, for people.
    func resume(_ name: StateName, by actor: String, isTrial: Bool) async throws -> [String]
}

extension StateAdministration {
    /// Moves what is kept under one name, whatever the new one is of.
    public func rename(_ old: StateName, to new: StateName) async throws -> [String] {
        try await rename([StateRenaming(old, to: new)], isTrial: false).flatMap { $0 }
    }

    /// Abandons a name that no stage at hand has.
    public func abandon(
        _ name: StateName, reason: String, isTrial: Bool
    ) async throws -> [String] {
        try await abandon(name, besides: [], reason: reason, isTrial: isTrial)
    }

    /// Keeps no pauses.
    public func resume(
        _ name: StateName, by actor: String, isTrial: Bool
    ) async throws -> [String] { [] }
}

/// What a store keeps under the name of a stage or sink.
public enum StateKind: Sendable, Hashable {
    /// Cases, batches, outcomes, and the positions that they were read at.
    case cases
    /// Positions beside the events that were stored.
    case events
    /// What a sink has not got, and its pause.
    case deliveries
    /// The pause of an intake.
    case intake

    /// What keeps such state.
    fileprivate var keeper: String {
        switch self {
        case .cases: "an accumulate stage"
        case .events: "a sink that stores events"
        case .deliveries: "a sink behind an accumulate stage"
        case .intake: "an ingest stage"
        }
    }
}

/// A name that owns state, and the one that is to own it.
public struct StateRenaming: Sendable, Hashable {
    public var old: StateName
    public var new: StateName
    /// What whatever has the new name keeps; `nil`: anything.
    public var kinds: Set<StateKind>?
    public init(_ old: StateName, to new: StateName, kinds: Set<StateKind>? = nil) {
        self.old = old
        self.new = new
        self.kinds = kinds
    }

    /// Refuses to give the new name what nobody would find under it.
    ///
    /// - Parameter kind: of what is kept under the old name.
    /// - Throws: `fatal` `state-owned`.
    public func check(_ kind: StateKind) throws {
        guard let kinds, !kinds.contains(kind) else { return }
        throw PipelineError.fatal(
            .stateOwned,
            "what is kept under \(old) is that of \(kind.keeper), and \(new) is of another kind")
    }
}

extension [StateRenaming] {
    /// Does them one after the other within a transaction, which a trial takes back.
    ///
    /// - Parameters:
    ///   - transaction: runs its argument within one.
    ///   - rename: does one of them.
    public func done<Connection>(
        isTrial: Bool,
        in transaction: (
            @escaping @Sendable (Connection) throws -> [[String]]
        ) async throws -> [[String]],
        _ rename: @escaping @Sendable (StateRenaming, Connection) throws -> [String]
    ) async throws -> [[String]] {
        do {
            return try await transaction { connection in
                let moved = try map { try rename($0, connection) }
                if isTrial { throw Trial(moved: moved) }
                return moved
            }
        } catch let trial as Trial { return trial.moved }
    }
}

/// Ends a transaction that was only a trial.
private struct Trial: Error {
    let moved: [[String]]
}

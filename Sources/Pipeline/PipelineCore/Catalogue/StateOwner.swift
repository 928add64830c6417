/// A stage of the files at hand that keeps its state in a store: under its name, and with it what
/// else of its chain is known there by name.
public struct StateOwner: Sendable, Hashable {
    public var pipeline: String
    public var stage: String
    /// The ids of the sinks behind it.
    public var sinks: Set<String>
    /// The topics and files that feed it.
    public var inputs: Set<String>
    /// Whether callers' requests feed it as well.
    public var servesCallers: Bool
    public init(
        pipeline: String, stage: String, sinks: Set<String> = [], inputs: Set<String> = [],
        servesCallers: Bool = false
    ) {
        self.pipeline = pipeline
        self.stage = stage
        self.sinks = sinks
        self.inputs = inputs
        self.servesCallers = servesCallers
    }
}

/// The name of what owns state: a pipeline, or one of its stages or sinks.
public struct StateName: Sendable, Hashable, CustomStringConvertible {
    public var pipeline: String
    /// A stage's or sink's id; `nil` for the whole pipeline.
    public var part: String?
    public init(pipeline: String, part: String? = nil) {
        self.pipeline = pipeline
        self.part = part
    }
    public var description: String { part.map { "\(pipeline)/\($0)" } ?? pipeline }
}

/// A store that keeps state by names, for whoever changes them.
public protocol StateAdministration: Sendable {
    /// Moves what is kept under one name to another. Nothing is under the old one then: so it is
    /// when that is done already, or when there never was anything.
    ///
    /// - Returns: what was moved, in sentences without a full stop.
    /// - Throws: `fatal` `state-owned` when the new name has state of its own.
    func rename(_ old: StateName, to new: StateName) async throws -> [String]

    /// Ends everything that is open under a name: cases are cancelled with that reason, deliveries
    /// given up.
    ///
    /// - Parameter isTrial: only says what would be ended.
    /// - Returns: what was ended, in sentences without a full stop.
    func abandon(_ name: StateName, reason: String, isTrial: Bool) async throws -> [String]
}

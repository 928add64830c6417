public import Specification

extension Diagnostic.Code {
    /// Two stages have one id.
    public static let duplicateID = Self(rawValue: "duplicate-id")
    /// No stage of this type is in the catalogue.
    public static let unknownStage = Self(rawValue: "unknown-stage")
    /// No connector knows this URL scheme.
    public static let unknownScheme = Self(rawValue: "unknown-scheme")
    /// The connector cannot use this URL or these properties.
    public static let invalidAddress = Self(rawValue: "invalid-address")
    /// A stage names a resource that is not declared.
    public static let unknownResource = Self(rawValue: "unknown-resource")
    /// A stage names a resource of another kind than it needs.
    public static let wrongResource = Self(rawValue: "wrong-resource")
    /// No stage names this resource.
    public static let unusedResource = Self(rawValue: "unused-resource")
    /// A stage cannot stand where it does in the chain.
    public static let misplacedStage = Self(rawValue: "misplaced-stage")
    /// A stage cannot take what the one before hands on.
    public static let edgeMismatch = Self(rawValue: "edge-mismatch")
    /// The chain has two barriers.
    public static let secondBarrier = Self(rawValue: "second-barrier")
    /// A generator stands in a chain that collects nothing for it.
    public static let noBarrier = Self(rawValue: "no-barrier")
    /// Batches are sealed that nobody answers.
    public static let noWorker = Self(rawValue: "no-worker")
    /// What the chain reads goes nowhere.
    public static let noSink = Self(rawValue: "no-sink")
    /// A barrier seals batches and has no store to keep them.
    public static let missingStore = Self(rawValue: "missing-store")
    /// The pipeline writes to a topic that it reads.
    public static let topicLoop = Self(rawValue: "topic-loop")
    /// Nothing bounds how long a case waits.
    public static let unboundedWait = Self(rawValue: "unbounded-wait")
    /// A case may wait longer than promised.
    public static let slaExceeded = Self(rawValue: "sla-exceeded")
    /// Callers' reads could be answered in more than one way, or in none.
    public static let ambiguousReads = Self(rawValue: "ambiguous-reads")
}

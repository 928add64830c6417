public import ConfigurationDiagnostics
public import ConfigurationFields

/// What a stage does in a chain.
public enum StageRole: String, Sendable, CaseIterable {
    /// Brings records in; stands first.
    case source
    /// Changes or drops records.
    case transform
    /// Regroups records or seals batches of them.
    case barrier
    /// Answers batches.
    case worker
    /// Delivers to the outside and hands on.
    case sink
}

/// A stage of pipelines: its settings, what it needs and yields, and how it is built.
///
/// The conforming type *is* the stage's field specification (``Settings``): decoded from the stage's object
/// in the pipeline file, `id` and `type` left out. A third party adds a stage by conforming a type in a module
/// that depends on PipelineCore, and handing it to the command's catalogue.
public protocol StagePlugin: Settings {
    /// The name in `"type"`.
    static var type: String { get }
    static var role: StageRole { get }
    /// Which guarantee the stage gives or takes away, in a paragraph for the reference.
    static var guarantee: String { get }

    /// What a dry run says of the stage's records beside their numbers.
    static var remarks: StageRemarks { get }

    /// The codes of its own that its contract objects with; `explain-error` explains them.
    static var codes: [Diagnostic.Code] { get }

    /// What the stage refers to and does to an edge. Pure: no I/O.
    func contract(in catalogue: Catalogue) -> StageContract
    /// Builds the stage. Connections may be opened later, by what is built.
    /// - Throws: ``PipelineError``.
    func build(_ context: StageContext) throws -> StageInstance
}

extension StagePlugin {
    public static var remarks: StageRemarks { StageRemarks() }
    public static var codes: [Diagnostic.Code] { [] }
}

/// What has become of the records that a stage was given, for reports that count them: `12 published`.
///
/// What it has refused is a dead letter, whichever stage it was.
public struct StageRemarks: Sendable, Hashable {
    /// What the records are that a stage neither hands on nor refuses.
    public enum Kept: Sendable, Hashable {
        /// Repeats of others; reports sum them up over all stages.
        case repeats
        /// Something else, in words that follow their number: `not passed on`.
        case others(String)
    }
    /// What the stage has done to those that it lets pass, in words that follow their number: `published`; `nil` for a
    /// stage that only hands them on.
    public var delivered: String?
    public var kept: Kept

    public init(delivered: String? = nil, kept: Kept = .others("not passed on")) {
        self.delivered = delivered
        self.kept = kept
    }
}

/// A stage that reads payloads by a codec: whoever makes messages up for it has to know by which.
public protocol DecodingStage: StagePlugin {
    /// The codec's name.
    var codec: String { get }
}

/// A barrier whose rule calls batches full.
public protocol SealingStage: StagePlugin {
    /// How many cases it then hands on at once.
    var fullBatch: Int { get }
}

/// A stage whose answers a generator makes, which can be looked at beforehand where it is elsewhere.
public protocol GeneratingStage: StagePlugin {
    /// The generator as written.
    var generator: String { get }
}

/// A built stage.
public enum StageInstance: Sendable {
    case source([any Source])
    case transform(any Transform)
    case buffer(any Buffer)
    case barrier(Barrier)
    case worker(any Generator)
    /// Delivers records; stands where no outcomes are handed on: see ``StageContext/input``.
    case recordSink(any RecordSink)
    /// Delivers outcomes; stands behind a worker.
    case outcomeSink(any OutcomeSink)
}

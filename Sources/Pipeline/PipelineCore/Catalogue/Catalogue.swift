public import Logging
public import Metrics

/// Everything that can be named in a pipeline file. A value, not a global: a test or a third party
/// makes its own.
public struct Catalogue: Sendable {
    public var stages: [any StagePlugin.Type]
    public var codecs: [Codec]
    public var connectors: [Connector]
    public var generators: [GeneratorRegistration]
    /// What the errors and refusals of the plug-ins, and of all that runs them, are known by: each
    /// code once.
    public var errorCodes: [ErrorCode]
    /// What the resources of the connectors, and the service that they are reached by, tell of
    /// themselves: each metric once.
    public var metrics: [MetricDeclaration]

    public init(
        stages: [any StagePlugin.Type] = [], codecs: [Codec] = [], connectors: [Connector] = [],
        generators: [GeneratorRegistration] = [], errorCodes: [ErrorCode] = [],
        metrics: [MetricDeclaration] = []
    ) {
        self.stages = stages
        self.codecs = codecs
        self.connectors = connectors
        self.generators = generators
        self.errorCodes = errorCodes
        self.metrics = metrics
    }

    public func stage(_ type: String) -> (any StagePlugin.Type)? {
        stages.first { $0.type == type }
    }
    public func codec(_ name: String) -> Codec? { codecs.first { $0.name == name } }
    public func connector(_ scheme: String) -> Connector? {
        connectors.first { $0.schemes.contains(scheme) }
    }
    public func generator(_ name: String) -> GeneratorRegistration? {
        generators.first { $0.name == name || name.hasPrefix("\($0.name)://") }
    }
}

/// How payloads of one sort are read, and how outcomes of that sort are rendered.
public struct Codec: Sendable {
    /// The name in `"codec"`: `report-request`.
    public var name: String
    /// One sentence for the reference.
    public var summary: String
    /// What an `ingest` with this codec yields; `nil` for a codec that only renders outcomes.
    public var yields: RecordKind?
    public var decoder: (any RecordDecoder)?
    public var encoder: (any OutcomeEncoder)?
    /// Makes a payload that could have been sent at that time, for simulations: another one at each
    /// call.
    public var sample: (@Sendable (RandomSource, Timestamp) -> Bytes)?
    public init(
        name: String, summary: String, yields: RecordKind?, decoder: (any RecordDecoder)? = nil,
        encoder: (any OutcomeEncoder)? = nil,
        sample: (@Sendable (RandomSource, Timestamp) -> Bytes)? = nil
    ) {
        self.name = name
        self.summary = summary
        self.yields = yields
        self.decoder = decoder
        self.encoder = encoder
        self.sample = sample
    }
}

/// What makes a resource of a URL's scheme.
public struct Connector: Sendable {
    /// `["postgres", "postgresql"]`
    public var schemes: [String]
    public var summary: String
    /// A URL to show.
    public var example: String
    public var kinds: [ResourceKind]
    /// What can be found out about an address without touching anything: `nil`, or what is wrong
    /// with it.
    public var check: @Sendable (ResourceAddress) -> String?
    /// What two addresses of the same thing have in common, where that is not how they are written.
    public var identity: @Sendable (ResourceAddress) -> String = { $0.url }
    /// Which files of this machine an address leads to, opening none; `nil` where it leads to none.
    public var place: @Sendable (ResourceAddress) -> ResourcePlace?
    /// The files that an address has the connector's library read, such as certificates and keys:
    /// they have to be there before anything is opened.
    public var files: @Sendable (ResourceAddress) -> [ResourceFile] = { _ in [] }
    /// Makes the resource. Opens nothing that may fail for the moment: the first use does.
    public var open: @Sendable (ResourceAddress, ResourceContext) throws -> any Resource

    public init(
        schemes: [String], summary: String, example: String, kinds: [ResourceKind],
        check: @escaping @Sendable (ResourceAddress) -> String? = { _ in nil },
        place: @escaping @Sendable (ResourceAddress) -> ResourcePlace? = { _ in nil },
        open: @escaping @Sendable (ResourceAddress, ResourceContext) throws -> any Resource
    ) {
        self.schemes = schemes
        self.summary = summary
        self.example = example
        self.kinds = kinds
        self.check = check
        self.place = place
        self.open = open
    }
}

/// What a resource is made with.
public struct ResourceContext: Sendable {
    public var clock: PipelineClock
    public var random: RandomSource
    public var logger: Logger
    /// Whether this process runs pipelines, and so may claim what only one process may hold.
    public var isRunning: Bool
    /// Where a resource registers what it has to tell of itself. Whoever serves no metrics hands
    /// in nothing: the resource counts all the same, and nobody looks.
    public var metrics: MetricRegistry
    /// What is away: whoever's library tells of that needs not tell of it again.
    public var outages: Outages
    public init(
        clock: PipelineClock, random: RandomSource, logger: Logger, isRunning: Bool,
        metrics: MetricRegistry = MetricRegistry(), outages: Outages? = nil
    ) {
        self.outages = outages ?? Outages(clock: clock, logger: logger)
        self.clock = clock
        self.random = random
        self.logger = logger
        self.isRunning = isRunning
        self.metrics = metrics
    }
}

extension MetricDeclaration {
    /// What connectors to databases have in common; once in a list, whatever their number.
    public static let ofDatabases = [databaseSeconds]

    /// By OpenTelemetry's
    /// [conventions](https://opentelemetry.io/docs/specs/semconv/database/database-metrics/): the
    /// kind of database, where it is (never with credentials), and what was done, of a small closed
    /// set.
    public static let databaseSeconds = histogram(
        "db_client_operation_duration_seconds",
        "Time up to a database's answer: to a statement or command, or to several sent together.",
        labels: "db_system_name", "server_address", "db_operation_name")
}

/// What answers batches, by the name in `"generator"`.
public struct GeneratorRegistration: Sendable {
    public var name: String
    public var summary: String
    /// Whether it reads a store, which its stage has to name.
    public var needsStore: Bool
    /// What can be found out about a generator as written without touching anything: `nil`, or what
    /// is wrong with it.
    public var check: @Sendable (String) -> String?
    /// Looks whether a generator as written can be used, without asking it for anything; `nil`
    /// where there is nothing to look at.
    ///
    /// - Parameters: the generator as written, and how long a server may take to answer.
    public var inspect:
        (@Sendable (_ written: String, _ timeout: Duration) async -> [ResourceFinding])?
    /// - Parameters: the generator as written, the stage's `store` if it names one, and the stage's
    ///   context, which says how long a run may take.
    public var make: @Sendable (String, (any Resource)?, StageContext) throws -> any Generator
    public init(
        name: String, summary: String, needsStore: Bool = false,
        check: @escaping @Sendable (String) -> String? = { _ in nil },
        inspect: (@Sendable (String, Duration) async -> [ResourceFinding])? = nil,
        make: @escaping @Sendable (String, (any Resource)?, StageContext) throws -> any Generator
    ) {
        self.name = name
        self.summary = summary
        self.needsStore = needsStore
        self.check = check
        self.inspect = inspect
        self.make = make
    }
}

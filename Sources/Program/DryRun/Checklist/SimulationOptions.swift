public import PipelineCore

/// What a dry run is to simulate.
public struct SimulationOptions: Sendable {
    /// Arrival patterns that are added up.
    public var arrivals: [ArrivalPattern]
    /// A recorded trace in place of patterns.
    public var input: DryRun.Source?
    public var generation: GenerationCostModel
    /// How many processes share the work.
    public var workers: Int
    /// When a made-up trace starts in civil time.
    public var start: Timestamp
    public var seed: UInt64
    /// The share of messages that are repeats, from 0 to 1.
    public var repeats: Double
    /// The share of messages that can't be read, from 0 to 1.
    public var malformed: Double
    /// Hears now and then which share of a simulation is done, in 0 ... 1.
    public var progress: @Sendable (Double) -> Void = { _ in }

    public init(
        arrivals: [ArrivalPattern], input: DryRun.Source? = nil, generation: GenerationCostModel,
        workers: Int = 1, start: Timestamp, seed: UInt64 = 1, repeats: Double = 0,
        malformed: Double = 0
    ) {
        self.arrivals = arrivals
        self.input = input
        self.generation = generation
        self.workers = workers
        self.start = start
        self.seed = seed
        self.repeats = repeats
        self.malformed = malformed
    }
}

/// Why nothing was simulated, in a sentence without a full stop.
public struct SimulationSkipped: Error, Sendable {
    public var reason: String
    public init(_ reason: String) { self.reason = reason }
}

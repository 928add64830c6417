/// What a dry run is to simulate, as the operator wrote it.
public struct SimulationOptions: Sendable {
    /// Arrival traces that are added up: `poisson 200/h for 24h`.
    public var arrivals: [String]
    /// A file of requests with timestamps, in place of, or beside, `arrivals`.
    public var input: String?
    /// What a run takes for n cases: `30s + 10ms*n`.
    public var generation: String
    /// How many processes share the work.
    public var workers: Int
    /// When the trace starts in civil time; `nil` for now.
    public var start: String?
    public var seed: UInt64
    /// The share of messages that are repeats, from 0 to 1.
    public var repeats: Double
    /// The share of messages that can't be read, from 0 to 1.
    public var malformed: Double

    public init(
        arrivals: [String] = [], input: String? = nil, generation: String = "30s + 10ms*n",
        workers: Int = 1, start: String? = nil, seed: UInt64 = 1, repeats: Double = 0,
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

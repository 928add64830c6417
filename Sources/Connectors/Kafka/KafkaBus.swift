internal import Concurrency
public import Metrics
public import PipelineCore
internal import Synchronization

/// Kafka as a ``PipelineCore/Bus``, by [librdkafka](https://github.com/confluentinc/librdkafka).
///
/// Consumers are event-driven and take part in cooperative-sticky rebalancing; they start where the
/// position store says, and commit to the group only as a hint for lag tools (or as the truth,
/// where there is no store). Producers are idempotent and wait for all in-sync replicas.
public final class KafkaBus: Bus {
    /// The version of librdkafka that runs, such as `2.0.2`.
    public static var libraryVersion: String { KafkaClient.libraryVersion }

    private let settings: KafkaSettings
    private let clock: PipelineClock
    private let log: KafkaLog?
    private let metrics: MetricRegistry
    private let producing: ProducerMetrics
    /// Kept: a client of librdkafka's is expensive, and probes come every few seconds.
    private let prober = Mutex<KafkaAdmin?>(nil)

    /// Reads the address without connecting.
    ///
    /// - Parameters:
    ///   - address: `kafka://[user:password@]host[:port][,host[:port]…]`; its properties are
    ///     [librdkafka's](https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md).
    ///     A user in the URL means SASL PLAIN over TLS, unless `sasl.mechanisms` and
    ///     `security.protocol` say otherwise.
    ///   - clock: paces commits and heart-beats.
    ///   - metrics: takes how far consumers are behind, and what producers hold.
    ///   - log: takes what librdkafka has to say; nothing is printed without it.
    /// - Throws: ``PipelineCore/PipelineError``, fatal: `invalid-url`, `unknown-property`,
    ///   `reserved-property`, `invalid-property`. Values of secret properties are never shown.
    public init(
        _ address: ResourceAddress, clock: PipelineClock = .system,
        metrics: MetricRegistry = MetricRegistry(), log: KafkaLog? = nil
    ) throws(PipelineError) {
        settings = try KafkaSettings(address)
        self.clock = clock
        self.log = log
        self.metrics = metrics
        producing = ProducerMetrics(metrics)
        try settings.validate()
    }

    /// The certificates and keys that librdkafka reads for an address.
    @Sendable public static func files(of address: ResourceAddress) -> [ResourceFile] {
        (try? KafkaSettings(address))?.files ?? []
    }

    public var backend: Backend? { settings.backend }

    /// Asks any of the brokers for the cluster's metadata, for at most two seconds and a half.
    /// - Throws: ``PipelineCore/PipelineError``: `bus-unavailable` (retryable) with the last
    ///   connection error, `bus-authentication` (fatal).
    public func probe() async throws {
        let prober = try prober.withLock { held in
            let prober = try held ?? KafkaAdmin(settings, nil)
            held = prober
            return prober
        }
        try await settings.blaming {
            try await WorkerThread().runAbandonably { try prober.probe() }
        }
    }

    /// Asks a broker for its cluster and all its topics; creates none, joins no group, reads and
    /// writes no record.
    public func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        try await blocking { [settings, log, clock] in
            try KafkaInspection(settings, log, clock, timeout: timeout).findings(on: needs)
        }
    }

    public func ensureTopic(_ name: String, partitions: Int?) async throws {
        try await settings.blaming {
            try await blocking { [settings, log] in
                try KafkaAdmin(settings, log).ensureTopic(name, partitions: partitions)
            }
        }
    }

    public func consumer(_ subscription: Subscription, positions: (any PositionStore)?)
        async throws -> any BusConsumer
    {
        try await blocking { [settings, clock, log, metrics] in
            try KafkaConsumer(
                settings, subscription, positions: positions, clock: clock, log: log,
                metrics: metrics)
        }
    }

    public func producer() async throws -> any BusProducer {
        KafkaProducer(settings, clock: clock, log: log, metrics: producing)
    }

    /// Nothing to do: consumers and producers hold their own connections.
    public func close() async {}
}

extension KafkaBus: LogInspection {
    public func contradiction(
        in topic: String, timeout: Duration,
        to stored: @Sendable (LogName) async throws -> StoredPositions?
    ) async throws -> LogContradiction? {
        let name = try await logName(of: topic, timeout: timeout)
        guard let name, let positions = try await stored(name) else { return nil }
        return try await inspecting(within: timeout) { [settings, log] in
            try $0.contradiction(in: topic, to: positions, LogProbe(settings, log))
        }
    }

    public func logName(of topic: String, timeout: Duration) async throws -> LogName? {
        try await inspecting(within: timeout) { try $0.logName(of: topic) }
    }

    private func inspecting<Result: Sendable>(
        within timeout: Duration, _ body: @escaping @Sendable (KafkaInspection) throws -> Result
    ) async throws -> Result {
        try await settings.blaming {
            // Who stops does not wait for a broker that stands still.
            try await WorkerThread().runAbandonably { [settings, log, clock] in
                try body(KafkaInspection(settings, log, clock, timeout: timeout))
            }
        }
    }
}

extension KafkaBus: TopicBrowsing {
    public func extent(of topic: String, timeout: Duration) async throws -> LogExtent? {
        try await inspecting(within: timeout) { try $0.extent(of: topic) }
    }

    public func reader(
        of topic: String, partition: Int32, offsets: Range<Int64>, timeout: Duration
    ) async throws -> any TopicReader {
        try await blocking { [settings, log] in
            try KafkaTopicReader(
                settings, log, topic: topic, partition: partition, offsets: offsets,
                timeout: timeout)
        }
    }
}

/// Runs one blocking call of librdkafka on a thread of its own.
func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await WorkerThread().run(body)
}

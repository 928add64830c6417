internal import CRdKafka
internal import Calendar
public import Metrics
internal import PipelineCore
internal import Synchronization

/// Idempotent producers, one for each topic: it takes what its topic takes, and is replaced when it
/// has broken or the topic takes more.
final class KafkaProducer: BusProducer {
    private enum State {
        case open([String: ProducerSession])
        case closed
    }
    private let state = Mutex(State.open([:]))
    private let settings: KafkaSettings
    private let clock: PipelineClock
    private let log: KafkaLog?
    private let metrics: ProducerMetrics

    /// Connects to nothing yet.
    init(
        _ settings: KafkaSettings, clock: PipelineClock, log: KafkaLog?, metrics: ProducerMetrics
    ) {
        self.settings = settings
        self.clock = clock
        self.log = log
        self.metrics = metrics
    }

    func send(
        _ records: [OutgoingRecord], to topic: String
    ) async throws -> [Int: PipelineError] {
        try await settings.blaming { try await deliver(records, to: topic) }
    }

    private func deliver(
        _ records: [OutgoingRecord], to topic: String
    ) async throws -> [Int: PipelineError] {
        if records.isEmpty { return [:] }
        let session = try await session(for: topic)
        let all = records.enumerated().map { (index: $0.offset, record: $0.element) }
        var outcome = try await send(all, to: topic, by: session)
        // A broker refuses a whole batch for one record in it: those refused together are sent
        // again one by one.
        if outcome.refusedByBroker.count > 1 {
            for index in outcome.refusedByBroker.sorted() {
                let alone = try await send([(index, records[index])], to: topic, by: session)
                outcome.refused[index] = alone.refused[index]
            }
        }
        // librdkafka refuses by the limit that the topic had when the session was made.
        let local = outcome.refused.keys.filter { !outcome.refusedByBroker.contains($0) }.sorted()
        if !local.isEmpty, let larger = try await replacement(for: session, topic) {
            let again = try await send(
                local.map { ($0, records[$0]) }, to: topic, by: larger)
            for index in local { outcome.refused[index] = again.refused[index] }
        }
        return outcome.refused
    }

    /// - Throws: what makes it unknown whether all have arrived, or all of them refused.
    private func send(
        _ records: [(index: Int, record: OutgoingRecord)], to topic: String,
        by session: ProducerSession
    ) async throws -> DeliveryReports.Outcome {
        let outcome = try await session.send(records, to: topic)
        guard let failure = outcome.failure else { return outcome }
        switch failure.code {
        case .busForbidden, .topicInvalid:
            // What the topic does not take may be kept elsewhere, and others' records go on.
            throw PipelineError.permanent(failure.code, failure.message, cause: failure)
        case .busTimeout:
            // librdkafka waits for missing replicas in silence.
            throw try await admin { $0.lackOfReplicas(of: topic) } ?? failure
        default: throw failure
        }
    }

    func close() async {
        let last = state.withLock { state in
            defer { state = .closed }
            return state
        }
        guard case .open(let sessions) = last else { return }
        for session in sessions.values where !session.isBroken {
            try? await blocking { session.flush() }
        }
    }

    /// The topic's session; a new one when that has broken.
    func session(for topic: String) async throws -> ProducerSession {
        let current = try sessions()[topic]
        if let current, !current.isBroken { return current }
        return try await replace(current, topic, largestBatch: try await largestBatch(of: topic))
    }

    /// A session that takes larger records, if the topic does by now.
    private func replacement(
        for session: ProducerSession, _ topic: String
    ) async throws -> ProducerSession? {
        guard let largest = try await largestBatch(of: topic),
            largest > session.largestBatch ?? 0
        else { return nil }
        return try await replace(session, topic, largestBatch: largest)
    }

    private func largestBatch(of topic: String) async throws -> Int? {
        if settings.limitsRecords { return nil }
        return try await admin { $0.largestBatch(of: topic) }
    }

    private func admin<T: Sendable>(
        _ ask: @escaping @Sendable (KafkaAdmin) -> T
    ) async throws -> T {
        try await blocking { [settings, log] in ask(try KafkaAdmin(settings, log)) }
    }

    private func replace(
        _ old: ProducerSession?, _ topic: String, largestBatch: Int?
    ) async throws -> ProducerSession {
        let fresh = try await blocking { [settings, clock, log, metrics] in
            try ProducerSession(
                settings, largestBatch: largestBatch, clock: clock, log: log,
                failures: metrics.failures(of: topic))
        }
        return try state.withLock { state in
            guard case .open(var sessions) = state else { throw Self.closed }
            // Somebody else may have been faster.
            if let other = sessions[topic], other !== old { return other }
            sessions[topic] = fresh
            state = .open(sessions)
            metrics.add(fresh, topic)
            return fresh
        }
    }

    private func sessions() throws -> [String: ProducerSession] {
        try state.withLock { state in
            guard case .open(let sessions) = state else { throw Self.closed }
            return sessions
        }
    }

    private static let closed = PipelineError.fatal(.producerClosed, "the producer is closed")
}

/// One idempotent producer of librdkafka's, used until it breaks.
final class ProducerSession: Sendable {
    private let client: KafkaClient
    private let clock: PipelineClock
    /// How long a record may wait for room in the queue.
    private let patience: Duration
    /// What the topic took at most when this was made, in bytes; `nil` where nobody said so.
    let largestBatch: Int?

    private var reports: DeliveryReports { client.events.reports }

    /// Blocks for as long as it takes to start librdkafka's threads.
    init(
        _ settings: KafkaSettings, largestBatch: Int?, clock: PipelineClock, log: KafkaLog?,
        failures: Counter
    ) throws(PipelineError) {
        client = try KafkaClient(
            RD_KAFKA_PRODUCER,
            settings.configuration(for: .producer, largestBatch: largestBatch),
            ClientEvents(
                log: log, clock: clock, history: settings.history, failures: failures))
        self.largestBatch = largestBatch
        self.clock = clock
        patience = settings.deliveryTimeout
    }

    /// Whether an error has ended it; librdkafka refuses everything then.
    var isBroken: Bool {
        unsafe client.withHandle { unsafe rd_kafka_fatal_error($0, nil, 0) }
            != RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// Records that have not been reported.
    var queued: Int { Int(unsafe client.withHandle { unsafe rd_kafka_outq_len($0) }) }

    /// Sends all and waits for every report.
    /// - Throws: `CancellationError`, ``PipelineCore/PipelineError``.
    func send(
        _ records: [(index: Int, record: OutgoingRecord)], to topic: String
    ) async throws -> DeliveryReports.Outcome {
        let id = reports.open(records.count)
        do {
            try await enqueue(records, id, topic)
            return try await reports.outcome(of: id)
        } catch {
            reports.abandon(id)
            throw error
        }
    }

    private func enqueue(
        _ records: [(index: Int, record: OutgoingRecord)], _ id: UInt32, _ topic: String
    ) async throws {
        let message = try OutgoingMessage(client, topic)
        let deadline = clock.now.advanced(by: patience)
        for (index, record) in records {
            var code = unsafe message.produce(record, DeliveryReports.opaque(id, index))
            while code == RD_KAFKA_RESP_ERR__QUEUE_FULL {
                guard clock.now < deadline else { throw fullError }
                try await reports.room.wait(until: deadline, clock: clock)
                code = unsafe message.produce(record, DeliveryReports.opaque(id, index))
            }
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { continue }
            let error = PipelineError.kafka(
                code, "sending to \(topic)", client.events.faults.explanation(of: code))
            guard error.disposition == .permanent else { throw error }
            reports.refuse(id, index, error)
        }
    }

    private var fullError: PipelineError {
        let reason = client.events.faults.lastReason ?? "its queue has been full for \(patience)"
        return .kafka(RD_KAFKA_RESP_ERR__QUEUE_FULL, "sending to Kafka", reason)
    }

    /// How long ``flush()`` waits: nobody waits any more for what is in flight then, it would only
    /// be sent again.
    private static let flushLimit = Duration.seconds(1)

    /// Waits for what is in flight. Blocks.
    func flush() {
        let limit = Int32(clamping: min(patience, Self.flushLimit).wholeMilliseconds)
        unsafe client.withHandle { unsafe _ = rd_kafka_flush($0, limit) }
    }

    /// Makes the producer break as a broker would, for tests.
    func breakForTest() {
        unsafe client.withHandle { handle in
            unsafe _ = rd_kafka_test_fatal_error(
                handle, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "broken by a test")
        }
    }
}

/// What the producers of a bus tell, by topic.
final class ProducerMetrics: Sendable {
    private struct Weak {
        weak var session: ProducerSession?
    }
    private let registry: MetricRegistry
    private let sessions = Mutex<[String: [Weak]]>([:])

    init(_ registry: MetricRegistry) { self.registry = registry }

    func failures(of topic: String) -> Counter { registry.counter(.failedRecords, topic) }

    /// Several producers of one topic are counted together.
    func add(_ session: ProducerSession, _ topic: String) {
        sessions.withLock { sessions in
            let living = (sessions[topic] ?? []).filter { $0.session != nil }
            sessions[topic] = living + [Weak(session: session)]
        }
        registry.setGauge(.queuedRecords, topic) { [weak self] in self?.queued(topic) }
    }

    private func queued(_ topic: String) -> Double {
        let living = sessions.withLock { $0[topic] ?? [] }.compactMap(\.session)
        return Double(living.reduce(0) { $0 + $1.queued })
    }
}

extension MetricDeclaration {
    /// Those of Kafka, beside what all buses tell.
    public static let ofKafka = [queuedRecords, failedRecords]

    fileprivate static let queuedRecords = gauge(
        "penstock_producer_queued_records", "Records that no broker has acknowledged yet.",
        labels: "topic")
    fileprivate static let failedRecords = counter(
        "penstock_producer_failed_records_total",
        "Records that were not delivered; most are sent again.", labels: "topic")
}

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

    /// Connects to nothing yet.
    init(_ settings: KafkaSettings, clock: PipelineClock, log: KafkaLog?) {
        self.settings = settings
        self.clock = clock
        self.log = log
    }

    func send(
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
        let fresh = try await blocking { [settings, clock, log] in
            try ProducerSession(settings, largestBatch: largestBatch, clock: clock, log: log)
        }
        return try state.withLock { state in
            guard case .open(var sessions) = state else { throw Self.closed }
            // Somebody else may have been faster.
            if let other = sessions[topic], other !== old { return other }
            sessions[topic] = fresh
            state = .open(sessions)
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

internal import PipelineCore
internal import Synchronization

/// An idempotent producer that replaces librdkafka's when that has broken.
final class KafkaProducer: BusProducer {
    private enum State {
        case open(ProducerSession)
        case closed
    }
    private let state: Mutex<State>
    private let settings: KafkaSettings
    private let clock: PipelineClock
    private let log: KafkaLog?

    /// Blocks for as long as it takes to start librdkafka's threads.
    init(_ settings: KafkaSettings, clock: PipelineClock, log: KafkaLog?) throws(PipelineError) {
        self.settings = settings
        self.clock = clock
        self.log = log
        state = Mutex(.open(try ProducerSession(settings, clock: clock, log: log)))
    }

    func send(
        _ records: [OutgoingRecord], to topic: String
    ) async throws -> [Int: PipelineError] {
        if records.isEmpty { return [:] }
        let session = try await session()
        let all = records.enumerated().map { (index: $0.offset, record: $0.element) }
        var outcome = try await session.send(all, to: topic)
        if let failure = outcome.failure { throw failure }
        // A broker refuses a whole batch for one record in it: those refused together are sent
        // again one by one.
        guard outcome.refusedByBroker.count > 1 else { return outcome.refused }
        for index in outcome.refusedByBroker.sorted() {
            let alone = try await session.send([(index, records[index])], to: topic)
            if let failure = alone.failure { throw failure }
            outcome.refused[index] = alone.refused[index]
        }
        return outcome.refused
    }

    func close() async {
        let last = state.withLock { state in
            defer { state = .closed }
            return state
        }
        guard case .open(let session) = last, !session.isBroken else { return }
        try? await blocking { session.flush() }
    }

    /// The session in use; a new one when that has broken.
    func session() async throws -> ProducerSession {
        let current = try state.withLock { state in
            guard case .open(let session) = state else {
                throw PipelineError.fatal("producer-closed", "the producer is closed")
            }
            return session
        }
        if !current.isBroken { return current }
        let fresh = try await blocking { [settings, clock, log] in
            try ProducerSession(settings, clock: clock, log: log)
        }
        return try state.withLock { state in
            guard case .open(let session) = state else {
                throw PipelineError.fatal("producer-closed", "the producer is closed")
            }
            // Somebody else may have been faster.
            if session !== current { return session }
            state = .open(fresh)
            return fresh
        }
    }
}

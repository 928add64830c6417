internal import Calendar
internal import CRdKafka
internal import PipelineCore

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
        _ settings: KafkaSettings, largestBatch: Int?, clock: PipelineClock, log: KafkaLog?
    ) throws(PipelineError) {
        client = try KafkaClient(
            RD_KAFKA_PRODUCER,
            settings.configuration(for: .producer, largestBatch: largestBatch),
            ClientEvents(log: log, clock: clock, history: settings.history))
        self.largestBatch = largestBatch
        self.clock = clock
        patience = settings.deliveryTimeout
    }

    /// Whether an error has ended it; librdkafka refuses everything then.
    var isBroken: Bool {
        unsafe client.withHandle { unsafe rd_kafka_fatal_error($0, nil, 0) }
            != RD_KAFKA_RESP_ERR_NO_ERROR
    }

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

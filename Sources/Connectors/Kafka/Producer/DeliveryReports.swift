internal import Concurrency
internal import CRdKafka
internal import PipelineCore
internal import Synchronization

/// Sends in progress, and where the reports of their records go.
///
/// A message carries the number of its send and its index there as its opaque, so that a report
/// finds its send without memory of its own. Reports for a send that was given up go nowhere.
final class DeliveryReports: Sendable {
    /// How a send ended.
    struct Outcome: Sendable {
        /// What was refused for good, by index.
        var refused: [Int: PipelineError] = [:]
        /// The refused records that a broker has seen, whose neighbours may have been refused with
        /// them.
        var refusedByBroker: Set<Int> = []
        /// What may go better next time; `nil` when everything else has arrived.
        var failure: PipelineError?
    }
    private struct Send {
        var open: Int
        var outcome = Outcome()
        var resumption: Resumption<Outcome>?
    }
    private struct State {
        var nextID: UInt32 = 1
        var sends: [UInt32: Send] = [:]
    }
    private let state = Mutex(State())
    /// Sent when reported messages have left librdkafka's queue.
    let room = Signal()

    /// Begins a send of that many records.
    func open(_ count: Int) -> UInt32 {
        state.withLock { state in
            defer { state.nextID = state.nextID == .max ? 1 : state.nextID + 1 }
            state.sends[state.nextID] = Send(open: count)
            return state.nextID
        }
    }

    static func opaque(_ send: UInt32, _ index: Int) -> UnsafeMutableRawPointer? {
        unsafe UnsafeMutableRawPointer(bitPattern: UInt(send) << 32 | UInt(UInt32(index)))
    }

    /// Gives a send up: nobody waits for it any more.
    func abandon(_ id: UInt32) {
        let send = state.withLock { $0.sends.removeValue(forKey: id) }
        send?.resumption?.resume(throwing: CancellationError())
    }

    /// Waits until every record of the send has been reported.
    /// - Throws: `CancellationError`; the send is given up then.
    func outcome(of id: UInt32) async throws -> Outcome {
        try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<Outcome>) in
                let result: Result<Outcome, any Error>? = state.withLock { state in
                    guard let send = state.sends[id] else { return .failure(CancellationError()) }
                    if send.open > 0 {
                        state.sends[id]!.resumption = resumption
                        return nil
                    }
                    state.sends[id] = nil
                    return .success(send.outcome)
                }
                if let result { resumption.resume(with: result) }
            }
        } onCancel: {
            abandon(id)
        }
    }

    /// librdkafka would not even take the record.
    func refuse(_ id: UInt32, _ index: Int, _ error: PipelineError) {
        finish([(id, index, error)], isFromBroker: false)
    }

    /// Takes a delivery report event; runs on librdkafka's background thread.
    func receive(_ event: OpaquePointer, _ faults: ClientFaults) {
        var reports: [(UInt32, Int, PipelineError?)] = []
        unsafe reports.reserveCapacity(rd_kafka_event_message_count(event))
        while let message = unsafe rd_kafka_event_message_next(event) {
            let opaque = UInt(bitPattern: unsafe message.pointee._private)
            let code = unsafe message.pointee.err
            let error =
                code == RD_KAFKA_RESP_ERR_NO_ERROR
                ? nil : PipelineError.kafka(code, "sending to Kafka", faults.explanation(of: code))
            reports.append(
                (
                    UInt32(truncatingIfNeeded: opaque >> 32),
                    Int(UInt32(truncatingIfNeeded: opaque)), error
                ))
        }
        if reports.contains(where: { $0.2 == nil }) { faults.recovered() }
        finish(reports, isFromBroker: true)
    }

    private func finish(_ reports: [(UInt32, Int, PipelineError?)], isFromBroker: Bool) {
        let finished = state.withLock { state in
            var finished: [(Resumption<Outcome>, Outcome)] = []
            for (id, index, error) in reports {
                guard var send = state.sends[id] else { continue }
                send.open -= 1
                if let error { send.outcome.add(error, at: index, isFromBroker: isFromBroker) }
                state.sends[id] = send
                if send.open == 0, let resumption = send.resumption {
                    state.sends[id] = nil
                    finished.append((resumption, send.outcome))
                }
            }
            return finished
        }
        for (resumption, outcome) in finished { resumption.resume(returning: outcome) }
    }
}

extension DeliveryReports.Outcome {
    fileprivate mutating func add(_ error: PipelineError, at index: Int, isFromBroker: Bool) {
        guard error.disposition == .permanent else {
            // A fatal error outranks one that a repetition may mend.
            if failure == nil || error.disposition != .retryable { failure = error }
            return
        }
        refused[index] = error
        if isFromBroker { refusedByBroker.insert(index) }
    }
}

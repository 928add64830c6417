internal import PipelineCore
internal import Synchronization

/// Announces each outcome by a call of a webhook, under the outcome's id.
///
/// A batch that is tried again calls for those outcomes only that have had no answer yet, as far as
/// this process remembers: one call that keeps failing costs its receiver no repeats of all others.
final class WebhookOutcomeSink: OutcomeSink {
    private let endpoint: any WebhookEndpoint
    private let encoder: any OutcomeEncoder
    private let answered = Mutex(AnsweredCalls())

    init(endpoint: any WebhookEndpoint, encoder: any OutcomeEncoder) {
        self.endpoint = endpoint
        self.encoder = encoder
    }

    func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
        let (messages, unreadable) = try encoder.announcements(batch.outcomes)
        var known = answered.withLock { $0.known(of: batch) }
        let open = messages.filter { known[$0.outcome.id] == nil }
        let answers = try await endpoint.call(
            open.map {
                WebhookCall(
                    id: $0.outcome.id, body: $0.record.payload,
                    headers: $0.record.headers.filter(Self.isSent))
            })
        guard answers.count == open.count else {
            throw PipelineError.fatal(
                .webhookMismatch,
                "a webhook answers \(open.count) calls with \(answers.count) answers")
        }
        var failure: PipelineError?
        for ((outcome, _), answer) in zip(open, answers) {
            switch answer {
            case .delivered: known[outcome.id] = .delivered
            case .refused(let error): known[outcome.id] = .refused(OutcomeRefusal(outcome, error))
            case .failed(let error): failure = failure ?? error
            }
        }
        if let failure {
            answered.withLock { [known] in $0.keep(known, of: batch) }
            throw failure
        }
        answered.withLock { $0.forget(batch) }
        return unreadable
            + messages.compactMap { message in
                if case .refused(let refusal) = known[message.outcome.id] { refusal } else { nil }
            }
    }

    func longestDelivery(of count: Int) -> Duration { endpoint.longestCalls(count) }

    func close() async {}

    /// What the body is, and the trace that it belongs to; the event's id is the call's.
    private static func isSent(_ header: Header) -> Bool {
        ["content-type", "traceparent", "tracestate"].contains(header.name.lowercased())
    }
}

/// What was answered of batches that are not delivered as a whole: a pure memory, of few batches.
private struct AnsweredCalls: Sendable {
    enum Answer: Sendable {
        case delivered
        case refused(OutcomeRefusal)
    }
    private struct Part {
        var attempts: Int
        var answers: [UUID: Answer]
        /// When it was kept.
        var number: Int
    }
    private static let mostBatches = 64

    private var parts: [Int64: Part] = [:]
    private var lastNumber = 0

    /// What is known of a batch. Nothing where somebody else may have delivered it since: its
    /// outcomes may have been parked then, and are called for anew.
    func known(of batch: OutcomeBatch) -> [UUID: Answer] {
        guard let part = parts[batch.number],
            (part.attempts...part.attempts + 1).contains(batch.attempts)
        else { return [:] }
        return part.answers
    }

    mutating func forget(_ batch: OutcomeBatch) { parts[batch.number] = nil }

    mutating func keep(_ answers: [UUID: Answer], of batch: OutcomeBatch) {
        lastNumber += 1
        parts[batch.number] = Part(
            attempts: batch.attempts, answers: answers, number: lastNumber)
        if parts.count <= Self.mostBatches { return }
        guard let oldest = parts.min(by: { $0.value.number < $1.value.number }) else { return }
        parts[oldest.key] = nil
    }
}

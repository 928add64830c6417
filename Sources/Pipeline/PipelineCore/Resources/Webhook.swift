/// Who takes signed calls over HTTP: the receiver of a webhook.
public protocol WebhookEndpoint: Resource {
    /// Makes the calls, several at a time, and waits for the answers.
    ///
    /// - Returns: what came of each call, in their order.
    /// - Throws: `CancellationError`; what has been answered by then may be called again.
    func call(_ calls: [WebhookCall]) async throws -> [WebhookAnswer]
    /// How long so many calls take at most.
    func longestCalls(_ count: Int) -> Duration
}

/// One call of a webhook. A repeat has the same id and the same body.
public struct WebhookCall: Sendable {
    /// What the receiver knows a repeat by.
    public var id: UUID
    public var body: Bytes
    public var headers: [Header]
    public init(id: UUID, body: Bytes, headers: [Header] = []) {
        self.id = id
        self.body = body
        self.headers = headers
    }
}

/// What came of a call.
public enum WebhookAnswer: Sendable {
    case delivered
    /// The receiver refuses this call for good.
    case refused(PipelineError)
    /// It may have been taken, and has to be made again.
    case failed(PipelineError)
}

/// What a unary handler returns after it has looked at the request.
public enum UnaryAnswer<Response: Sendable>: Sendable {
    /// The response, sent at once from the queue's own thread: for answers that take no waiting,
    /// such as cache hits. It saves the hand-over to a task.
    case reply(Response)
    /// Work that waits for something. It runs in a task that is cancelled when the client goes
    /// away or its deadline passes.
    case async(@concurrent @Sendable () async throws(GRPCStatusError) -> Response)
}

/// Answers one unary method on the level of bytes.
///
/// It is called on a completion queue's thread, where it must not block: the thread carries all
/// the connections of that queue. The request's bytes are lent for the time of the call only.
public typealias UnaryHandler =
    @Sendable (Span<UInt8>, borrowing CallContext) throws(GRPCStatusError) -> UnaryAnswer<[UInt8]>

/// Answers one streaming method on the level of bytes, in a task of its own.
///
/// The call ends with OK when it returns.
public typealias StreamHandler =
    @concurrent @Sendable (GRPCServerStream) async throws(GRPCStatusError) -> Void

/// What becomes of a method's open calls when the server is told to shut down.
public enum ShutdownPolicy: Sendable {
    /// They have until the end of the grace period.
    case finish
    /// Their tasks are cancelled at once, and a handler that then throws CANCELLED is answered
    /// with UNAVAILABLE: for calls that wait for news, and would use up the grace for nothing.
    case interrupt
}

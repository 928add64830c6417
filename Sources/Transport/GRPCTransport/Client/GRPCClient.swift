/// A gRPC client over the C core: a channel with a completion queue and a thread of its own.
///
/// It connects when the first call needs it, and again after a loss. libgrpc before 1.61 may take an
/// attempt to connect for failed that has not (<https://github.com/grpc/grpc/pull/35064>), so calls
/// that must not fail for that say `waitForReady`. A client that is let go
/// without ``shutdown()`` cancels its calls and does not wait for their end.
public final class GRPCClient: Sendable {
    private let calls: ClientCalls
    private let thread: NativeThread
    private let isDrained = Latch()

    /// Creates a client, which does not connect yet.
    ///
    /// - Throws: ``GRPCError`` if there is no thread to be had.
    public init(configuration: Configuration) throws(GRPCError) {
        let calls = ClientCalls(
            ChannelHandle(target: configuration.target, configuration.arguments))
        self.calls = calls
        thread = try NativeThread(name: "grpc-client") { [isDrained] in
            calls.queue.drain()
            isDrained.open()
        }
    }

    /// Creates a client of the default limits; see ``init(configuration:)``.
    public convenience init(target: String) throws(GRPCError) {
        try self.init(configuration: Configuration(target: target))
    }

    deinit { calls.close() }

    /// Calls a unary method. Cancelling the task cancels the call, at the server too.
    ///
    /// - Parameters:
    ///   - path: `/package.Service/Method`.
    ///   - request: The request message.
    ///   - timeout: The time after which both sides give up; `nil` is never.
    ///   - metadata: Sent along.
    ///   - waitForReady: Whether to wait for a connection, until the timeout, instead of failing
    ///     with UNAVAILABLE when there is none to be had.
    /// - Returns: The response message.
    /// - Throws: The status with which the call ended, if that was not OK.
    public func unary(
        _ path: String, _ request: [UInt8], timeout: Duration?, metadata: GRPCMetadata = [:],
        waitForReady: Bool = false
    ) async throws(GRPCStatusError) -> [UInt8] {
        let metadata = try MetadataBuffer(metadata)
        let (ticket, call) = try calls.begin(path, timeout: timeout)
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let exchange = UnaryExchange(call, metadata) { [calls] outcome in
                    calls.end(ticket)
                    continuation.resume(returning: outcome)
                }
                exchange.start(request, waitForReady: waitForReady)
            }
        } onCancel: {
            call.cancel()
        }
        return try outcome.get()
    }

    /// Opens a streaming call.
    ///
    /// - Parameters:
    ///   - path: `/package.Service/Method`.
    ///   - timeout: The time after which both sides give up; `nil` is never.
    ///   - metadata: Sent along.
    ///   - waitForReady: See ``unary(_:_:timeout:metadata:waitForReady:)``.
    /// - Throws: INVALID_ARGUMENT for metadata that may not be sent, UNAVAILABLE after a shutdown.
    public func stream(
        _ path: String, timeout: Duration?, metadata: GRPCMetadata = [:],
        waitForReady: Bool = false
    ) throws(GRPCStatusError) -> GRPCClientStream {
        let metadata = try MetadataBuffer(metadata)
        let (ticket, call) = try calls.begin(path, timeout: timeout)
        return GRPCClientStream(call, metadata, waitForReady: waitForReady) { [calls] in
            calls.end(ticket)
        }
    }

    /// Cancels the calls in flight and ends the client's thread.
    public func shutdown() async {
        calls.close()
        await isDrained.wait()
        // It has said that it is at its end, so this does not block.
        thread.join()
    }
}

internal import Concurrency
internal import CGRPC
public import Protobuf

/// A gRPC client over the C core: a channel with a completion queue and a thread of its own.
///
/// It connects when the first call needs it, and again after a loss. libgrpc before 1.61 may take
/// an attempt to connect for failed that has not (<https://github.com/grpc/grpc/pull/35064>), so
/// calls that must not fail for that say `waitForReady`. A client that is let go without
/// ``shutdown()`` cancels its calls and does not wait for their end.
public final class GRPCClient: Sendable {
    private let calls: ClientCalls
    private let metadata: GRPCMetadata
    private let thread: NativeThread
    private let isDrained = AsyncEvent()

    /// Creates a client, which does not connect yet.
    ///
    /// - Throws: ``GRPCError`` if there is no thread to be had.
    public init(configuration: Configuration) throws(GRPCError) {
        let calls = ClientCalls(
            ChannelHandle(target: configuration.target, configuration.arguments))
        self.calls = calls
        metadata = configuration.metadata
        thread = try NativeThread.starting(name: "grpc-client") { [isDrained] in
            calls.queue.drain()
            isDrained.set()
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
        let metadata = try MetadataBuffer(self.metadata.appending(metadata))
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
        let metadata = try MetadataBuffer(self.metadata.appending(metadata))
        let (ticket, call) = try calls.begin(path, timeout: timeout)
        return GRPCClientStream(call, metadata, waitForReady: waitForReady) { [calls] in
            calls.end(ticket)
        }
    }

    /// Cancels the calls in flight and ends the client's thread.
    public func shutdown() async {
        calls.close()
        await isDrained.waitIgnoringCancellation()
        // It has said that it is at its end, so this does not block.
        thread.join()
    }
}

extension GRPCClient {
    /// The target and the limits of a client.
    public struct Configuration: Sendable {
        /// What to connect to: `host:port`, `[IPv6]:port` or `unix:path`. Not encrypted.
        public var target: String
        /// The longest response message, in bytes. Longer ones end a call with RESOURCE_EXHAUSTED.
        public var maxMessageBytes = 4 << 20
        /// After this silence of the server, while calls are open, it is asked for a sign of life;
        /// `nil` is never. Servers refuse pings that come too often.
        public var keepaliveTime: Duration?
        /// A server that gives none within this time is given up.
        public var keepaliveTimeout = Duration.seconds(20)
        /// The longest wait between two attempts to connect.
        public var maxReconnectBackoff = Duration.seconds(10)
        /// Sent along with every call, before what a call has of its own.
        public var metadata: GRPCMetadata = [:]
        /// Whether the environment's `http_proxy` is used.
        public var usesProxy = false

        /// Creates a configuration of the default limits.
        ///
        /// - Parameter target: See ``target``.
        public init(target: String) { self.target = target }

        var arguments: ChannelArguments {
            ChannelArguments([
                "grpc.max_receive_message_length": maxMessageBytes,
                "grpc.keepalive_time_ms": keepaliveTime?.settingMilliseconds ?? Int(Int32.max),
                "grpc.keepalive_timeout_ms": keepaliveTimeout.settingMilliseconds,
                "grpc.initial_reconnect_backoff_ms": min(
                    1000, maxReconnectBackoff.settingMilliseconds),
                "grpc.max_reconnect_backoff_ms": maxReconnectBackoff.settingMilliseconds,
                // A server that is started anew may have another address; the C core would not
                // look it up again for half a minute.
                "grpc.dns_min_time_between_resolutions_ms": 2000,
                "grpc.enable_http_proxy": usesProxy ? 1 : 0,
                // Each client has connections of its own.
                "grpc.use_local_subchannel_pool": 1,
            ])
        }
    }
}

extension GRPCClient {
    /// Calls a unary method; see ``unary(_:_:timeout:metadata:waitForReady:)``.
    ///
    /// - Throws: Also INTERNAL when the response is no such message.
    public func call<Request: Message, Response: Message>(
        _ method: MethodDescriptor<Request, Response>, _ request: Request, timeout: Duration?,
        metadata: GRPCMetadata = [:], waitForReady: Bool = false
    ) async throws(GRPCStatusError) -> Response {
        let bytes = try await unary(
            method.path, try request.bytesToSend(), timeout: timeout, metadata: metadata,
            waitForReady: waitForReady)
        return try Response.answered(bytes)
    }

    /// Opens a streaming call; see ``stream(_:timeout:metadata:waitForReady:)``.
    public func stream<Request: Message, Response: Message>(
        _ method: MethodDescriptor<Request, Response>, timeout: Duration?,
        metadata: GRPCMetadata = [:], waitForReady: Bool = false
    ) throws(GRPCStatusError) -> MessageClientStream<Request, Response> {
        MessageClientStream(
            try stream(
                method.path, timeout: timeout, metadata: metadata, waitForReady: waitForReady))
    }
}

/// One streaming call of a client, in messages. Letting it go cancels it.
public struct MessageClientStream<Request: Message, Response: Message>: Sendable {
    /// The call, in bytes.
    public let call: GRPCClientStream

    init(_ call: GRPCClientStream) { self.call = call }

    /// Sends a message; see ``GRPCClientStream/send(_:)``.
    public func send(_ request: Request) async throws(GRPCStatusError) {
        try await call.send(try request.bytesToSend())
    }

    /// Says that no more messages will be sent; see ``GRPCClientStream/finishSending()``.
    public func finishSending() async throws(GRPCStatusError) { try await call.finishSending() }

    /// Waits for the server's next message; see ``GRPCClientStream/receive()``.
    ///
    /// - Throws: Also INTERNAL when it is no such message.
    public func receive() async throws(GRPCStatusError) -> Response? {
        guard let bytes = try await call.receive() else { return nil }
        return try Response.answered(bytes)
    }
}

extension Message {
    /// A message that a server sent.
    fileprivate static func answered(_ bytes: [UInt8]) throws(GRPCStatusError) -> Self {
        do { return try Self(serializedBytes: bytes) } catch {
            throw GRPCStatusError(.internal, "the response is no \(protoMessageName): \(error)")
        }
    }
}

/// The C core's channel: the connections to one target, made and mended as they are needed.
///
/// `Sendable`: the pointer never changes, and the C core's channel may be used from any thread.
@safe
final class ChannelHandle: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(target: String, _ arguments: borrowing ChannelArguments) {
        Library.start()
        let credentials = unsafe grpc_insecure_credentials_create()
        unsafe pointer = arguments.withPointer {
            unsafe grpc_channel_create(target, credentials, $0)
        }
        unsafe grpc_channel_credentials_release(credentials)
    }

    deinit { unsafe grpc_channel_destroy(pointer) }

    /// A call whose operations complete on `queue`; nothing is sent yet.
    func makeCall(_ path: String, timeout: Duration?, on queue: CompletionQueue) -> CallHandle {
        let method = unsafe grpc_slice(copying: path)
        defer { unsafe grpc_slice_unref(method) }
        let call = unsafe grpc_channel_create_call(
            pointer, nil, 0, queue.pointer, method, nil, gpr_timespec(after: timeout), nil)
        return unsafe CallHandle(owning: call!)
    }
}

public import Protobuf

extension GRPCServer {
    /// Adds a unary method that takes and gives messages. Only before ``start()``.
    ///
    /// A request that is no such message is answered with INVALID_ARGUMENT, which says where.
    ///
    /// - Parameters:
    ///   - method: The method, as the generator describes it.
    ///   - policy: What becomes of open calls when a shutdown begins.
    ///   - handler: Answers the calls; see ``UnaryHandler`` for what it must not do.
    public func unary<Request: Message, Response: Message>(
        _ method: MethodDescriptor<Request, Response>, atShutdown policy: ShutdownPolicy = .finish,
        _ handler:
            @escaping @Sendable (Request, borrowing CallContext) throws(GRPCStatusError)
            -> UnaryAnswer<Response>
    ) {
        unary(method, atShutdown: policy, admitting: admitAll) {
            (request, _: Void, context) throws(GRPCStatusError) -> UnaryAnswer<Response> in
            try handler(request, context)
        }
    }

    /// Adds a unary method that takes and gives messages, for those who are let in.
    ///
    /// - Parameters: See ``unary(_:atShutdown:_:)-(MethodDescriptor<Request,Response>,_,_)``.
    ///   - admit: Says who calls, or refuses him, before the request is looked at; as a handler, it
    ///     must not block.
    public func unary<Request: Message, Response: Message, Caller>(
        _ method: MethodDescriptor<Request, Response>, atShutdown policy: ShutdownPolicy = .finish,
        admitting admit:
            @escaping @Sendable (borrowing CallContext) throws(GRPCStatusError) -> Caller,
        _ handler:
            @escaping @Sendable (Request, Caller, borrowing CallContext) throws(GRPCStatusError)
            -> UnaryAnswer<Response>
    ) {
        unary(method, atShutdown: policy, admitting: admit) {
            (request, caller, context) throws(GRPCStatusError) -> UnaryAnswer<[UInt8]> in
            switch try handler(request, caller, context) {
            case .reply(let response): return .reply(try response.bytesToSend())
            case .async(let work):
                return .async { () throws(GRPCStatusError) in try await work().bytesToSend() }
            }
        }
    }

    /// Adds a unary method whose responses are serialized already, such as a cache's, for those
    /// who are let in.
    ///
    /// - Parameters: See
    ///   ``unary(_:atShutdown:admitting:_:)-(MethodDescriptor<Request,Response>,_,_,_)``.
    public func unary<Request: Message, Response: Message, Caller>(
        _ method: MethodDescriptor<Request, Response>, atShutdown policy: ShutdownPolicy = .finish,
        admitting admit:
            @escaping @Sendable (borrowing CallContext) throws(GRPCStatusError) -> Caller,
        _ handler:
            @escaping @Sendable (Request, Caller, borrowing CallContext) throws(GRPCStatusError)
            -> UnaryAnswer<[UInt8]>
    ) {
        unary(method.path, atShutdown: policy) { bytes, context throws(GRPCStatusError) in
            let caller = try admit(context)
            return try handler(try Request.received(bytes), caller, context)
        }
    }

    /// Adds a streaming method that takes and gives messages. Only before ``start()``.
    ///
    /// - Parameters:
    ///   - method: The method, as the generator describes it.
    ///   - policy: What becomes of open calls when a shutdown begins.
    ///   - handler: Serves a call; it ends when the handler returns or throws.
    public func stream<Request: Message, Response: Message>(
        _ method: MethodDescriptor<Request, Response>,
        atShutdown policy: ShutdownPolicy = .interrupt,
        _ handler:
            @escaping @concurrent @Sendable (MessageServerStream<Request, Response>)
            async
            throws(GRPCStatusError) -> Void
    ) {
        stream(method.path, atShutdown: policy) { stream throws(GRPCStatusError) in
            try await handler(MessageServerStream(stream))
        }
    }
}

/// One call of a streaming method, in messages.
public struct MessageServerStream<Request: Message, Response: Message>: Sendable {
    /// The call, in bytes: its metadata, peer and deadline.
    public let call: GRPCServerStream

    init(_ call: GRPCServerStream) { self.call = call }

    /// Waits for the client's next message; see ``GRPCServerStream/receive()``.
    ///
    /// - Throws: Also INVALID_ARGUMENT when it is no such message.
    public func receive() async throws(GRPCStatusError) -> Request? {
        guard let bytes = try await call.receive() else { return nil }
        return try Request.received(bytes.span)
    }

    /// The one message that a server-streaming method takes.
    ///
    /// - Throws: Also INVALID_ARGUMENT when there is none.
    public func receiveRequest() async throws(GRPCStatusError) -> Request {
        guard let request = try await receive() else {
            throw GRPCStatusError(.invalidArgument, "the call carried no request message")
        }
        return request
    }

    /// Sends a message; see ``GRPCServerStream/send(_:)``.
    public func send(_ response: Response) async throws(GRPCStatusError) {
        try await call.send(try response.bytesToSend())
    }
}

/// Of methods that ask nobody who he is.
@Sendable private func admitAll(_ context: borrowing CallContext) {}

extension Message {
    /// A message that a client sent.
    fileprivate static func received(_ bytes: Span<UInt8>) throws(GRPCStatusError) -> Self {
        do { return try Self(serializedBytes: bytes) } catch {
            throw GRPCStatusError(
                .invalidArgument, "the request is no \(protoMessageName): \(error)")
        }
    }

    func bytesToSend() throws(GRPCStatusError) -> [UInt8] {
        do { return try serializedBytes() } catch {
            throw GRPCStatusError(
                .internal, "the \(Self.protoMessageName) cannot be serialized: \(error)")
        }
    }
}

/// One call of a streaming method, as its handler sees it.
public final class GRPCServerStream: Sendable {
    /// The method's path, for example `/grpc.health.v1.Health/Watch`.
    public let path: String
    private let request: RequestedCall
    private let messages: MessageStream
    fileprivate let connection: ClientConnection?

    init(_ request: RequestedCall, path: String, on connections: Connections) {
        self.path = path
        self.request = request
        connection = unsafe connections.named(CallHandle.peer(of: request.call))
        messages = MessageStream(request.takeCall(), sendsInitialMetadata: true)
    }

    /// The time until the client gives up, negative when it has; `nil` if it waits for ever.
    public var remaining: Duration? { request.remaining }

    /// The client's address as gRPC writes it, for example `ipv4:127.0.0.1:40000`.
    public var peer: String { connection?.peer ?? "unknown" }

    /// The first value of a metadata key (in lower case), as text.
    public func metadata(_ key: String) -> String? {
        request.metadata(key).first.map { String(decoding: $0, as: UTF8.self) }
    }

    /// Waits for the client's next message. One reception at a time.
    ///
    /// - Returns: The message, or `nil` when the client has sent its last one.
    /// - Throws: CANCELLED if the task is cancelled.
    public func receive() async throws(GRPCStatusError) -> [UInt8]? {
        try await messages.receive()
    }

    /// Sends a message and waits until flow control has taken it. One message at a time.
    ///
    /// - Throws: CANCELLED if the client has gone away.
    public func send(_ message: [UInt8]) async throws(GRPCStatusError) {
        if await !messages.send(message) { throw .cancelled() }
    }

    fileprivate func watchForClose() -> CloseCompletion {
        let watch = CloseCompletion(request, onClose: {})
        messages.start(tag: watch) { batch in
            unsafe batch.receiveClose(request.cancelledPlace)
        }
        return watch
    }

    /// Ends the call; `nil` is OK.
    fileprivate func finish(_ error: GRPCStatusError?) {
        messages.finish(error.map { OutgoingStatus($0) })
    }
}

/// Waits for one call of a streaming method and hands it to a task.
///
/// `Sendable`: used on its shard's thread only.
final class StreamRequest: Completion, @unchecked Sendable {
    private let method: Int
    private let request = RequestedCall()
    private let shard: ServerShard

    init(method: Int, shard: ServerShard) {
        self.method = method
        self.shard = shard
    }

    func start() {
        _ = shard.handle.requestCall(
            of: shard.registrations.streams[method], readsMessage: false, into: request,
            on: shard.queue, tag: self)
    }

    override func complete(succeeded: Bool) {
        guard succeeded, !shard.isOver else { return }
        StreamRequest(method: method, shard: shard).start()
        let number = method
        let stream = GRPCServerStream(
            request, path: shard.registrations.streams[number].path, on: shard.connections)
        let watch = stream.watchForClose()
        let openCalls: OpenCalls
        let policy: ShutdownPolicy
        let served: @Sendable () async throws(GRPCStatusError) -> ServedMethods
        switch shard.router.current {
        case .to(let now):
            (openCalls, policy) = (now.openCalls, now.methods.streams[number].policy)
            served = { now }
        case .waiting(let held):
            (openCalls, policy) = (held.openCalls, .interrupt)
            served = held.next
        }
        do throws(GRPCStatusError) {
            let ticket = try openCalls.enter(policy, on: stream.connection)
            let cancel = shard.runner.start {
                do throws(GRPCStatusError) {
                    try await served().methods.streams[number].handler(stream)
                    stream.finish(nil)
                } catch {
                    stream.finish(openCalls.status(for: error))
                }
                openCalls.leave(ticket)
            }
            watch.cancelTask = cancel
            openCalls.setCancellation(ticket, cancel)
        } catch {
            stream.finish(error)
        }
    }
}

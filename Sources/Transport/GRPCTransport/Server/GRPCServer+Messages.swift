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
        unary(method, atShutdown: policy) {
            (request, context) throws(GRPCStatusError) -> UnaryAnswer<[UInt8]> in
            switch try handler(request, context) {
            case .reply(let response): return .reply(try response.bytesToSend())
            case .async(let work):
                return .async { () throws(GRPCStatusError) in try await work().bytesToSend() }
            }
        }
    }

    /// Adds a unary method whose responses are serialized already, such as a cache's.
    ///
    /// - Parameters: See ``unary(_:atShutdown:_:)-(MethodDescriptor<Request,Response>,_,_)``.
    public func unary<Request: Message, Response: Message>(
        _ method: MethodDescriptor<Request, Response>, atShutdown policy: ShutdownPolicy = .finish,
        _ handler:
            @escaping @Sendable (Request, borrowing CallContext) throws(GRPCStatusError)
            -> UnaryAnswer<[UInt8]>
    ) {
        unary(method.path, atShutdown: policy) { bytes, context throws(GRPCStatusError) in
            try handler(try Request.received(bytes), context)
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

public import Protobuf

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

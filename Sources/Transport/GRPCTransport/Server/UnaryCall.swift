internal import Synchronization

/// A slot for one unary call after the other.
///
/// `Sendable`: owned by its shard's thread, except that a handler's task may call ``finish(_:)``
/// once.
final class UnaryCall: Completion, @unchecked Sendable {
    private enum Phase {
        case awaitingRequest, answering
    }

    let method: Int
    let request = RequestedCall()
    private unowned let shard: ServerShard
    /// When its request came, by the monotonic clock; set before a task borrows the slot.
    var receivedAt: UInt64 = 0
    private var phase = Phase.awaitingRequest
    /// Completions still to come before the slot is free again.
    private var outstanding = 1
    /// Whether the close has its own completion; fixed before a task borrows the slot.
    private var isWatched = false
    private var outgoingStatus: OutgoingStatus?
    /// The shard's second in which the answer was sent; 0 while there is none.
    private let answeredAt = Atomic<UInt32>(0)

    init(method: Int, shard: ServerShard) {
        self.method = method
        self.shard = shard
    }

    func prepareForRequest() {
        outstanding = 1
        isWatched = false
        phase = .awaitingRequest
        answeredAt.store(0, ordering: .relaxed)
    }

    /// For how many seconds the answer has waited for the client to take it; on the shard's thread.
    var secondsUnread: UInt32 {
        let second = answeredAt.load(ordering: .relaxed)
        return second == 0 ? 0 : shard.second.load(ordering: .relaxed) - second
    }

    override func complete(succeeded: Bool) {
        switch phase {
        case .awaitingRequest where succeeded: shard.received(self)
        case .awaitingRequest:
            request.releaseCall()
            shard.recycle(self)
        case .answering: completeOne()
        }
    }

    /// Watches for the client's going away while a task works on the answer.
    func watchForClose() -> CloseCompletion {
        let watch = CloseCompletion(request) { [self] in completeOne() }
        isWatched = true
        outstanding += 1
        var batch = OperationBatch()
        unsafe batch.receiveClose(request.cancelledPlace)
        unsafe batch.start(on: request.call, tag: watch)
        return watch
    }

    /// Sends the answer: initial metadata, message, status and, unless it is watched already, the
    /// close in one batch, so that a call answered at once takes one completion.
    func finish(_ answer: Result<[UInt8], GRPCStatusError>) {
        var batch = OperationBatch()
        batch.sendInitialMetadata()
        if !isWatched { unsafe batch.receiveClose(request.cancelledPlace) }
        switch answer {
        case .success(let response):
            batch.sendMessage(ByteBuffer(copying: response))
            batch.sendStatus(nil)
            shard.times[method].ended(.ok, since: receivedAt)
            start(batch)
        case .failure(let error):
            let status = OutgoingStatus(error)
            outgoingStatus = status
            batch.sendStatus(status)
            shard.times[method].ended(error.code, since: receivedAt)
            start(batch)
        }
    }

    private func start(_ batch: borrowing OperationBatch) {
        phase = .answering
        answeredAt.store(shard.second.load(ordering: .relaxed), ordering: .relaxed)
        unsafe batch.start(on: request.call, tag: self)
    }

    private func completeOne() {
        outstanding -= 1
        guard outstanding == 0 else { return }
        // A free slot has no call, and nothing that waits to be read.
        answeredAt.store(0, ordering: .relaxed)
        outgoingStatus = nil
        request.releaseCall()
        shard.ended(self)
    }
}

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

/// Answers calls of methods that nobody has registered.
///
/// `Sendable`: used on its shard's thread only.
final class UnknownCall: Completion, @unchecked Sendable {
    private let request = RequestedCall()
    private let shard: ServerShard
    private var outgoingStatus: OutgoingStatus?

    init(shard: ServerShard) { self.shard = shard }

    func start() {
        _ = shard.handle.requestCall(
            of: nil, readsMessage: false, into: request, on: shard.queue, tag: self)
    }

    override func complete(succeeded: Bool) {
        if outgoingStatus != nil || !succeeded || shard.isOver { return }
        UnknownCall(shard: shard).start()
        let status = OutgoingStatus(
            GRPCStatusError(.unimplemented, "there is no method \(request.path)"))
        outgoingStatus = status
        var batch = OperationBatch()
        batch.sendInitialMetadata()
        batch.sendStatus(status)
        unsafe batch.receiveClose(request.cancelledPlace)
        unsafe batch.start(on: request.call, tag: self)
    }
}

/// What a handler may ask about the call that it answers, while it looks at the request.
///
/// It cannot be kept: what asynchronous work needs must be taken out of it before. Such work is
/// told of a client that went away, or of a deadline that passed, by its task's cancellation.
public struct CallContext: ~Copyable {
    private let request: RequestedCall
    private let connections: Connections
    /// The method's path, for example `/grpc.health.v1.Health/Check`.
    public let path: String

    init(_ request: RequestedCall, path: String, on connections: Connections) {
        self.request = request
        self.connections = connections
        self.path = path
    }

    /// The time until the client gives up, negative when it has; `nil` if it waits for ever.
    public var remaining: Duration? { request.remaining }

    /// The moment at which the client gives up; `nil` if it waits for ever.
    public var deadline: ContinuousClock.Instant? {
        remaining.map { ContinuousClock.now.advanced(by: $0) }
    }

    /// The client's address as gRPC writes it, for example `ipv4:127.0.0.1:40000`.
    public var peer: String {
        let name = unsafe CallHandle.peer(of: request.call)
        return connections.named(name)?.peer ?? name
    }

    /// The first value of a metadata key (in lower case), as text.
    public func metadata(_ key: String) -> String? {
        metadataBytes(key).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The first value of a metadata key (in lower case), as bytes; for keys that end in `-bin`.
    public func metadataBytes(_ key: String) -> [UInt8]? { request.metadata(key).first }
}

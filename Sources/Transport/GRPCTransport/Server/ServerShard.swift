internal import CGRPC
internal import Concurrency
internal import Synchronization

/// A server of the C core with one completion queue, and all that the queue's one thread does:
/// asking for calls, answering them or handing them to tasks, and taking their slots back.
///
/// Each shard has a server of its own, so that it has all the calls of its connections, and shards
/// share no lock.
///
/// `Sendable`: everything mutable is used on the shard's thread only.
final class ServerShard: @unchecked Sendable {
    /// Calls of one method that may arrive before the thread asks for more.
    private static let requestsAhead = 128

    let queue = CompletionQueue()
    let handle: ServerHandle
    /// Of the unary methods.
    let times: [CallTimes]
    let registrations: (unary: [RegisteredMethod], streams: [RegisteredMethod])
    let connections: Connections
    let router: CallRouter
    let runner: any GRPCTaskRunner
    /// Seconds that the shard has run, from 1: the time by which unread answers are told.
    let second = Atomic<UInt32>(1)
    private let maxOpenCalls: Int
    private let unreadSeconds: UInt32
    /// Every slot there is, to be looked through for unread answers.
    private var slots: [UnaryCall] = []
    private var freeSlots: [[UnaryCall]]
    /// The queue has been shut down: calls that still come out of it are let go.
    private(set) var isOver = false
    /// Slots whose call has arrived and not ended; changed on the shard's thread only.
    private let openSlotCount = Atomic(0)
    private var openSlots: Int { openSlotCount.load(ordering: .relaxed) }
    /// The most of them since memory was last given back.
    private var mostSlots = 0
    /// So many calls keep more than 30 MB.
    private static let manySlots = 2_048

    init(
        _ configuration: GRPCServer.Configuration, methods: ServerMethods, times: [CallTimes],
        router: CallRouter, connections: Connections, runner: any GRPCTaskRunner
    ) {
        let handle = ServerHandle(configuration.arguments)
        self.handle = handle
        self.times = times
        self.connections = connections
        self.router = router
        self.runner = runner
        maxOpenCalls = max(1, configuration.maxOpenCalls / max(1, configuration.queues))
        unreadSeconds = UInt32(clamping: max(1, configuration.unreadTimeout.components.seconds))
        registrations = (
            methods.unary.map { handle.register($0.path, readsMessage: true) },
            methods.streams.map { handle.register($0.path, readsMessage: false) }
        )
        freeSlots = Array(repeating: [], count: methods.unary.count)
        handle.add(queue)
        handle.start()
    }

    /// Serves until the queue has been shut down and is empty.
    func run() {
        for method in registrations.unary.indices {
            for _ in 0..<Self.requestsAhead { requestUnaryCall(of: method) }
        }
        for method in registrations.streams.indices {
            for _ in 0..<8 { StreamRequest(method: method, shard: self).start() }
        }
        for _ in 0..<8 { UnknownCall(shard: self).start() }
        queue.drain(everySecond: disconnectSlowReaders)
    }

    /// Lets ``run()`` return; after the server has been shut down, and the last task has answered
    /// its call.
    ///
    /// The C core aborts the process for an operation on a queue that has been shut down. The
    /// shard's own thread may be in the middle of a call that its client has given up, and others
    /// lie in the queue, so that this thread does it.
    func end() { handle.announceEnd(on: queue, tag: ShardEnd(shard: self)) }

    fileprivate func shutDownQueue() {
        isOver = true
        queue.shutdown()
    }

    private func requestUnaryCall(of method: Int) {
        let call = freeSlots[method].popLast() ?? newSlot(for: method)
        call.prepareForRequest()
        let isRequested = handle.requestCall(
            of: registrations.unary[method], readsMessage: true, into: call.request, on: queue,
            tag: call)
        if !isRequested { recycle(call) }
    }

    private func newSlot(for method: Int) -> UnaryCall {
        let call = UnaryCall(method: method, shard: self)
        slots.append(call)
        return call
    }

    /// Whether every call that has arrived has been answered, and the answer taken.
    var isIdle: Bool { openSlots == 0 }

    func recycle(_ call: UnaryCall) { freeSlots[call.method].append(call) }

    /// The client has the answer, or is gone.
    func ended(_ call: UnaryCall) {
        openSlotCount.subtract(1, ordering: .relaxed)
        recycle(call)
    }

    /// A call has arrived.
    func received(_ call: UnaryCall) {
        if isOver { return call.request.releaseCall() }
        call.receivedAt = MonotonicTime.nanosecondsNow
        requestUnaryCall(of: call.method)
        openSlotCount.add(1, ordering: .relaxed)
        mostSlots = max(mostSlots, openSlots)
        if openSlots > maxOpenCalls {
            call.request.refuse(.resourceExhausted, "too many calls are open")
            times[call.method].ended(.resourceExhausted, since: call.receivedAt)
            return ended(call)
        }
        do throws(GRPCStatusError) {
            switch router.current {
            case .to(let served):
                let method = served.methods.unary[call.method]
                switch try method.begin(call.request, on: connections) {
                case .reply(let response): call.finish(.success(response))
                case .async(let work):
                    try startTask(for: call, method.policy, in: served.openCalls, work)
                }
            case .waiting(let held):
                try startTask(for: call, .interrupt, in: held.openCalls) {
                    [connections] () async throws(GRPCStatusError) in
                    let method = try await held.next().methods.unary[call.method]
                    switch try method.begin(call.request, on: connections) {
                    case .reply(let response): return response
                    case .async(let work): return try await work()
                    }
                }
            }
        } catch {
            call.finish(.failure(error))
        }
    }

    private func startTask(
        for call: UnaryCall, _ policy: ShutdownPolicy, in openCalls: OpenCalls,
        _ work: @escaping @concurrent @Sendable () async throws(GRPCStatusError) -> [UInt8]
    ) throws(GRPCStatusError) {
        let connection = unsafe connections.named(CallHandle.peer(of: call.request.call))
        let ticket = try openCalls.enter(policy, on: connection)
        let watch = call.watchForClose()
        let cancel = runner.start {
            do throws(GRPCStatusError) {
                call.finish(.success(try await work()))
            } catch {
                call.finish(.failure(openCalls.status(for: error)))
            }
            openCalls.leave(ticket)
        }
        watch.cancelTask = cancel
        openCalls.setCancellation(ticket, cancel)
    }

    /// Ends the connections of clients that do not take their answers: each keeps the call's
    /// memory. The more there are, the less time they have.
    private func disconnectSlowReaders() {
        second.add(1, ordering: .relaxed)
        giveMemoryBack()
        if openSlots == 0 { return }
        let limit =
            openSlots > maxOpenCalls / 2
            ? min(unreadSeconds, max(2, unreadSeconds / 10)) : unreadSeconds
        var ended: Set<String> = []
        for call in slots where call.secondsUnread > limit {
            let name = unsafe CallHandle.peer(of: call.request.call)
            guard ended.insert(name).inserted else { continue }
            // One that has come since has nothing to do with the call.
            if let connection = connections.named(name),
                connection.since.duration(to: .now) >= .seconds(limit)
            {
                connections.end(connection)
            } else {
                call.request.cancel()
            }
        }
    }

    /// What thousands of calls had would stay with the allocator otherwise, in pieces between what
    /// is still used.
    private func giveMemoryBack() {
        guard mostSlots >= Self.manySlots, openSlots <= mostSlots / 16 else { return }
        mostSlots = openSlots
        malloc_trim(0)
    }
}

/// Comes out of a shard's queue when the shard is to end.
///
/// `Sendable`: never changed after it was made.
private final class ShardEnd: Completion, @unchecked Sendable {
    private let shard: ServerShard

    init(shard: ServerShard) { self.shard = shard }

    override func complete(succeeded: Bool) { shard.shutDownQueue() }
}

/// A completion queue of a server with all that its one thread does: asking for calls, answering
/// them or handing them to tasks, and taking their slots back.
///
/// `Sendable`: everything mutable is used on the lane's thread only.
final class ServerLane: @unchecked Sendable {
    /// Calls of one method that may arrive before the thread asks for more.
    private static let requestsAhead = 128

    let queue = CompletionQueue()
    let server: ServerHandle
    let methods: ServerMethods
    let openCalls: OpenCalls
    let runner: any GRPCTaskRunner
    private var freeSlots: [[UnaryCall]]

    init(
        server: ServerHandle, methods: ServerMethods, openCalls: OpenCalls,
        runner: any GRPCTaskRunner
    ) {
        self.server = server
        self.methods = methods
        self.openCalls = openCalls
        self.runner = runner
        freeSlots = Array(repeating: [], count: methods.unary.count)
        server.add(queue)
    }

    /// Serves until the queue has been shut down and is empty.
    func run() {
        for method in methods.unary.indices {
            for _ in 0..<Self.requestsAhead { requestUnaryCall(of: method) }
        }
        for method in methods.streams.indices {
            for _ in 0..<8 { StreamRequest(method: method, lane: self).start() }
        }
        for _ in 0..<8 { UnknownCall(lane: self).start() }
        queue.drain()
    }

    private func requestUnaryCall(of method: Int) {
        let call = freeSlots[method].popLast() ?? UnaryCall(method: method, lane: self)
        call.prepareForRequest()
        let isRequested = server.requestCall(
            of: methods.unary[method].registration, readsMessage: true, into: call.request,
            on: queue, tag: call)
        if !isRequested { recycle(call) }
    }

    func recycle(_ call: UnaryCall) { freeSlots[call.method].append(call) }

    /// A call has arrived.
    func received(_ call: UnaryCall) {
        requestUnaryCall(of: call.method)
        let method = methods.unary[call.method]
        do throws(GRPCStatusError) {
            let answer = try call.request.withMessage { request throws(GRPCStatusError) in
                try method.handler(request, CallContext(call.request, path: method.path))
            }
            switch answer {
            case .reply(let response): call.finish(.success(response))
            case .async(let work): try startTask(for: call, method.policy, work)
            }
        } catch {
            call.finish(.failure(error))
        }
    }

    private func startTask(
        for call: UnaryCall, _ policy: ShutdownPolicy,
        _ work: @escaping @concurrent @Sendable () async throws(GRPCStatusError) -> [UInt8]
    ) throws(GRPCStatusError) {
        let ticket = try openCalls.enter(policy)
        let watch = call.watchForClose()
        let cancel = runner.start { [openCalls] in
            do throws(GRPCStatusError) {
                call.finish(.success(try await work()))
            } catch {
                call.finish(.failure(openCalls.status(for: error)))
            }
            openCalls.leave(ticket)
        }
        watch.cancelTask = cancel
        if policy == .interrupt { openCalls.setCancellation(ticket, cancel) }
    }
}

/// Waits for one call of a streaming method and hands it to a task.
///
/// `Sendable`: used on its lane's thread only.
final class StreamRequest: Completion, @unchecked Sendable {
    private let method: Int
    private let request = RequestedCall()
    private let lane: ServerLane

    init(method: Int, lane: ServerLane) {
        self.method = method
        self.lane = lane
    }

    func start() {
        _ = lane.handle.requestCall(
            of: lane.registrations.streams[method], readsMessage: false, into: request,
            on: lane.queue, tag: self)
    }

    override func complete(succeeded: Bool) {
        guard succeeded else { return }
        StreamRequest(method: method, lane: lane).start()
        let method = lane.methods.streams[method]
        let stream = GRPCServerStream(request, path: method.path, on: lane.connections)
        let watch = stream.watchForClose()
        let openCalls = lane.openCalls
        do throws(GRPCStatusError) {
            let ticket = try openCalls.enter(method.policy, on: stream.connection)
            let cancel = lane.runner.start {
                do throws(GRPCStatusError) {
                    try await method.handler(stream)
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

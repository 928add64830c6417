internal import Concurrency
internal import Synchronization

/// Says whose handlers a call goes to: one server's, or, between two servers on the same
/// connections, those of the one to come.
final class CallRouter: Sendable {
    enum Route {
        case to(ServedMethods)
        case waiting(HeldCalls)
    }

    private let route: Mutex<Route>

    init(_ served: ServedMethods) { route = Mutex(.to(served)) }

    /// Where a call goes that comes now.
    var current: Route { route.withLock { $0 } }

    /// The calls in the hands of tasks.
    var openCalls: OpenCalls {
        switch current {
        case .to(let served): served.openCalls
        case .waiting(let held): held.openCalls
        }
    }

    /// Lets calls wait from now on.
    ///
    /// - Returns: whose calls may still be in flight; `nil` if calls wait already.
    func hold(in openCalls: OpenCalls) -> ServedMethods? {
        route.withLock { route in
            guard case .to(let served) = route else { return nil }
            route = .waiting(HeldCalls(openCalls))
            return served
        }
    }

    /// Gives calls, and those that wait, to handlers of the same methods.
    ///
    /// - Returns: `nil` unless calls wait.
    func resume(with methods: ServerMethods) -> ServedMethods? {
        let resumed = route.withLock { route -> (held: HeldCalls, served: ServedMethods)? in
            guard case .waiting(let held) = route else { return nil }
            let served = ServedMethods(methods, held.openCalls)
            route = .to(served)
            return (held, served)
        }
        guard let (held, served) = resumed else { return nil }
        held.go(to: served)
        return served
    }
}

/// The handlers of one server, and the calls in their hands.
final class ServedMethods: Sendable {
    let methods: ServerMethods
    let openCalls: OpenCalls

    init(_ methods: ServerMethods, _ openCalls: OpenCalls) {
        self.methods = methods
        self.openCalls = openCalls
    }

    /// Ends the calls: those that only wait at once, the others after the grace. Blocks.
    func drain(grace: Duration, farewell: Duration) {
        openCalls.close()
        if openCalls.waitUntilDrained(within: grace) { return }
        openCalls.cancelAll()
        _ = openCalls.waitUntilDrained(within: farewell)
    }
}

/// Calls that wait for the handlers to come: each in a task, so that it is let go when its client
/// gives up.
final class HeldCalls: Sendable {
    let openCalls: OpenCalls
    private let hasArrived = AsyncEvent()
    private let served = Mutex<ServedMethods?>(nil)

    init(_ openCalls: OpenCalls) { self.openCalls = openCalls }

    fileprivate func go(to next: ServedMethods) {
        served.withLock { $0 = next }
        hasArrived.set()
    }

    /// - Throws: CANCELLED if the task is.
    func next() async throws(GRPCStatusError) -> ServedMethods {
        do { try await hasArrived.wait() } catch { throw .cancelled() }
        return served.withLock { $0! }
    }
}

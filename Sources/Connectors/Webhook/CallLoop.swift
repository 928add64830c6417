internal import CCurl
internal import Concurrency
internal import Glibc
internal import PipelineCore
internal import Synchronization

/// Makes the calls of one receiver, several at a time and over connections that are kept, on a
/// thread of its own, which rests while there are none.
@safe final class CallLoop: @unchecked Sendable {
    // `multi`, `active` and `idle` are touched by jobs of `worker` alone, which run one after the
    // other, and by whoever releases the last reference; `curl_multi_wakeup` may be called by any.
    private let multi: UnsafeMutableRawPointer
    private var active: [Flight] = []
    private var idle: [Transfer] = []

    /// A call that is being made.
    private struct Flight {
        let transfer: Transfer
        let pending: PendingCall
        let since: Instant
    }
    private struct State {
        var waiting: ArraySlice<PendingCall> = []
        var isRunning = false
        var isClosed = false
        var inFlight = 0
        var circuit = ReceiverCircuit()
    }
    private enum Step {
        case nothing
        case begin(PendingCall)
        case refuse(ArraySlice<PendingCall>, PipelineError)
    }

    private let settings: WebhookSettings
    private let clock: PipelineClock
    private let random: RandomSource
    private let observe: @Sendable (_ took: Duration, CallEnd) -> Void
    private let state = Mutex(State())
    private let worker = CallLoop.newThread()

    /// How long the thread waits for something to happen, in milliseconds.
    private static let pollTime: Int32 = 1000

    /// - Parameter observe: hears of each call that has ended.
    init(
        _ settings: WebhookSettings, clock: PipelineClock, random: RandomSource,
        observe: @escaping @Sendable (_ took: Duration, CallEnd) -> Void
    ) throws(PipelineError) {
        guard let made = unsafe curl_multi_init() else {
            throw .fatal(.invalidResource, "libcurl can't begin")
        }
        unsafe multi = made
        for option in [CURLMOPT_MAX_TOTAL_CONNECTIONS, CURLMOPT_MAXCONNECTS] {
            unsafe penstock_curl_set_most(multi, option, settings.inFlight)
        }
        self.settings = settings
        self.clock = clock
        self.random = random
        self.observe = observe
    }

    /// libcurl writes to sockets that the receiver may have closed. The signal is this thread's
    /// alone.
    static func newThread() -> WorkerThread {
        WorkerThread(beginningWith: {
            var signals = sigset_t()
            unsafe sigemptyset(&signals)
            unsafe sigaddset(&signals, SIGPIPE)
            unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        })
    }

    deinit {
        for flight in active {
            _ = unsafe flight.transfer.withHandle { unsafe curl_multi_remove_handle(multi, $0) }
        }
        active = []
        idle = []
        unsafe curl_multi_cleanup(multi)
    }

    var inFlight: Int { state.withLock { $0.inFlight } }
    var isCircuitOpen: Bool { state.withLock { !$0.circuit.isClosed } }
    /// Why calls fail; `nil` while they don't.
    var problem: PipelineError? {
        let now = clock.now
        return state.withLock { $0.circuit.problem(at: now) }
    }

    /// Makes the calls, and answers what came of each, in their order.
    ///
    /// - Throws: `CancellationError`, at once; what is in flight is given up then.
    ///   ``PipelineError`` `webhook-closed`.
    func call(_ calls: [WebhookCall]) async throws -> [WebhookAnswer] {
        if calls.isEmpty { return [] }
        let group = CallGroup(of: calls.count)
        try add(
            calls.enumerated().map { PendingCall(call: $1, index: $0, group: group) })
        return try await withTaskCancellationHandler {
            try await group.wait()
        } onCancel: {
            group.end(CancellationError())
            wake()
        }
    }

    /// Refuses further calls, gives up those on their way, and returns once none is.
    func close() async {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for pending in waiting { pending.group.end(Self.closed) }
        wake()
        try? await worker.run {}
    }

    private static let closed = PipelineError.retryable(
        .webhookClosed, "the webhook has been closed")

    private func wake() { unsafe curl_multi_wakeup(multi) }

    private func add(_ calls: [PendingCall]) throws(PipelineError) {
        let begins = try state.withLock { state throws(PipelineError) in
            if state.isClosed { throw Self.closed }
            state.waiting += calls
            defer { state.isRunning = true }
            return !state.isRunning
        }
        guard begins else { return wake() }
        do { try worker.enqueue { self.run() } } catch {
            // Nobody else comes for them.
            let waiting = state.withLock { state in
                state.isRunning = false
                defer { state.waiting = [] }
                return state.waiting
            }
            for pending in waiting { pending.group.end(error) }
            throw error
        }
    }

    /// Makes calls until there are none, on the thread.
    private func run() {
        while true {
            dropUnwanted()
            while beginNext() {}
            if active.isEmpty {
                if rests { return }
                continue
            }
            var running: Int32 = 0
            unsafe curl_multi_perform(multi, &running)
            if takeEnded() { continue }
            unsafe curl_multi_poll(multi, nil, 0, Self.pollTime, nil)
        }
    }

    /// Whether nothing waits: the next call begins anew.
    private var rests: Bool {
        state.withLock { state in
            if state.waiting.isEmpty { state.isRunning = false }
            return !state.isRunning
        }
    }

    /// Gives up calls that nobody waits for any more.
    private func dropUnwanted() {
        let isClosed = state.withLock { $0.isClosed }
        for index in active.indices.reversed() {
            let group = active[index].pending.group
            if isClosed { group.end(Self.closed) }
            guard group.isEnded else { continue }
            _ = land(at: index)
            let now = clock.now
            state.withLock { $0.circuit.abandoned(now: now) }
        }
    }

    /// Begins the next call; false if there is none, or it has to wait.
    private func beginNext() -> Bool {
        guard active.count < settings.inFlight else { return false }
        switch nextStep() {
        case .nothing: return false
        case .begin(let pending): begin(pending)
        case .refuse(let all, let error):
            for pending in all { pending.group.answer(pending.index, .failed(error)) }
        }
        return true
    }

    private func nextStep() -> Step {
        let now = clock.now
        return state.withLock { state in
            while let first = state.waiting.first, first.group.isEnded {
                state.waiting.removeFirst()
            }
            guard let first = state.waiting.first else { return .nothing }
            switch state.circuit.admit(now: now) {
            case .wait: return .nothing
            case .refuse(let error):
                defer { state.waiting = [] }
                return .refuse(state.waiting, error)
            case .pass:
                state.waiting.removeFirst()
                return .begin(first)
            }
        }
    }

    private func begin(_ pending: PendingCall) {
        do throws(CallFailure) {
            let transfer = if let idle = idle.popLast() { idle } else { try Transfer(settings) }
            try transfer.prepare(lines(of: pending.call), body: pending.call.body)
            let code = unsafe transfer.withHandle { unsafe curl_multi_add_handle(multi, $0) }
            guard code == CURLM_OK else {
                throw CallFailure(
                    kind: .lost, reason: unsafe String(cString: curl_multi_strerror(code)))
            }
            active.append(Flight(transfer: transfer, pending: pending, since: clock.now))
            state.withLock { $0.inFlight += 1 }
        } catch {
            settle(pending, .failed(error))
        }
    }

    /// The headers of a call: a repeat has the same, but for the time and what is signed with it.
    private func lines(of call: WebhookCall) -> [String] {
        let id = call.id.description
        let seconds = clock.timestamp.microseconds / 1_000_000
        let signatures = settings.secrets.map { $0.signature(of: id, at: seconds, call.body) }
        let given = call.headers.compactMap { header in
            header.value.flatMap { String(validating: $0, as: UTF8.self) }
                .map { "\(header.name): \($0)" }
        }
        // Another line would be another header.
        return given.filter { !$0.utf8.contains { $0 < 0x20 || $0 == 0x7F } } + [
            "webhook-id: \(id)", "webhook-timestamp: \(seconds)",
            "webhook-signature: \(signatures.joined(separator: " "))",
            // libcurl would wait for a receiver's leave to send a large body.
            "Expect:",
        ]
    }

    /// Takes what has ended; false if nothing has.
    private func takeEnded() -> Bool {
        var hasEnded = false
        var code = CURLE_OK
        while let handle = unsafe penstock_curl_ended(multi, &code) {
            guard let index = active.firstIndex(where: { unsafe $0.transfer.isOf(handle) }) else {
                break
            }
            hasEnded = true
            let end = active[index].transfer.end(code)
            let flight = land(at: index)
            observe(flight.since.duration(to: clock.now), end)
            settle(flight.pending, end)
        }
        return hasEnded
    }

    private func land(at index: Int) -> Flight {
        let flight = active.remove(at: index)
        _ = unsafe flight.transfer.withHandle { unsafe curl_multi_remove_handle(multi, $0) }
        idle.append(flight.transfer)
        state.withLock { $0.inFlight -= 1 }
        return flight
    }

    private func settle(_ pending: PendingCall, _ end: CallEnd) {
        let verdict = CallVerdict(of: end, by: settings)
        let (now, jitter) = (clock.now, random.unit())
        state.withLock { state in
            switch (verdict.answer, verdict.effect) {
            case (.failed(let error), .fails):
                state.circuit.failed(error, awayFor: nil, now: now, jitter: jitter)
            case (.failed(let error), .isAway(let pause)):
                state.circuit.failed(error, awayFor: pause, now: now, jitter: jitter)
            default: state.circuit.succeeded()
            }
        }
        pending.group.answer(pending.index, verdict.answer)
    }
}

internal import Concurrency
public import PipelineCore
internal import Synchronization

/// A database server of a simulated world, as the worker of a store that runs its calls inline.
///
/// `SQLiteDatabase(path: ":memory:") { SimulatedStore(…) }` becomes a server that simulated
/// processes share: each transaction is one call, which may take its time, be refused, or be done
/// without its answer arriving, and which a killed process has asked for none the less. The code
/// around the transactions runs in the process, and is killed and paused with it, between two
/// transactions too.
public struct SimulatedStore: BlockingWorker {
    /// Hears that a call has been done.
    public typealias Observer = @Sendable (_ succeeded: Bool) -> Void

    private let resource: SharedResource
    private let observer: @Sendable () -> Observer

    /// - Parameter observer: asked in the calling task when a call is made; what it answers is
    ///   called as soon as the call has been done, before anything else happens.
    public init(
        conditions: CallConditions = CallConditions(),
        observer: @escaping @Sendable () -> Observer = { { _ in } }
    ) {
        self.observer = observer
        resource = SharedResource(
            conditions: conditions,
            error: .retryable(.storeUnavailable, "the simulated store does not answer"))
    }

    public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        guard SimulatedProcess.current != nil else { return try body() }
        let done = observer()
        return try await resource.call {
            let result = Result { try body() }
            if case .success = result { done(true) } else { done(false) }
            return try result.get()
        }
    }
}

/// A cache server of a simulated world.
public final class SimulatedCache: Cache {
    private struct Entry {
        var value: Bytes
        var expiry: Instant
    }
    private let entries = Mutex<[String: Entry]>([:])
    private let clock: PipelineClock
    private let resource: SharedResource

    /// - Parameter clock: what entries expire by.
    public init(clock: PipelineClock, conditions: CallConditions = CallConditions()) {
        self.clock = clock
        resource = SharedResource(
            conditions: conditions,
            error: .retryable(.cacheUnavailable, "the simulated cache does not answer"))
    }

    /// Restarts the server, which loses everything.
    public func lose() { entries.withLock { $0 = [:] } }

    public func get(_ keys: [String]) async throws -> [Bytes?] {
        try await resource.call { [self] in
            let now = clock.now
            return entries.withLock { entries in
                keys.map { key in entries[key].flatMap { now < $0.expiry ? $0.value : nil } }
            }
        }
    }

    public func set(_ new: [CacheEntry]) async throws {
        try await resource.call { [self] in
            let now = clock.now
            entries.withLock { entries in
                for entry in new { entries[entry.key] = Self.stored(entry, now) }
            }
        }
    }

    private static func stored(_ entry: CacheEntry, _ now: Instant) -> Entry {
        Entry(
            value: entry.value,
            expiry: now.advanced(by: max(entry.timeToLive, .milliseconds(1))))
    }

    public func probe() async throws { try await resource.call {} }
    public func close() async {}
}

/// Those who call one simulated process: they wait in it for their answers.
public final class SimulatedCallers: Sendable {
    /// Hears how a call ended.
    public typealias Answer = @Sendable (Result<SubmissionResult, any Error>) -> Void
    private struct Call: Sendable {
        var payload: Bytes
        var answer: Answer
    }
    private let service: SimulatedRequestService
    private let clock: PipelineClock
    private let waiting = Mutex<[Call]>([])
    private let arrivals = Signal()

    public init(service: SimulatedRequestService, clock: PipelineClock) {
        self.service = service
        self.clock = clock
    }

    /// Lets a caller come in. Made from outside of the process; a process that is gone never
    /// answers.
    public func call(_ payload: Bytes, _ answer: @escaping Answer) {
        waiting.withLock { $0.append(Call(payload: payload, answer: answer)) }
        arrivals.send()
    }

    /// Until cancelled.
    public func serve() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            while true {
                let calls = waiting.withLock { waiting in
                    defer { waiting = [] }
                    return waiting
                }
                for call in calls { group.addTask { [self] in await serve(call) } }
                if calls.isEmpty { try await arrivals.wait() }
            }
        }
    }

    private func serve(_ call: Call) async {
        do {
            call.answer(.success(try await service.submit(record(call.payload))))
        } catch {
            call.answer(.failure(error))
        }
    }

    private func record(_ payload: Bytes) -> Record {
        Record(
            payload: payload, timestamp: clock.timestamp, origin: Origin(source: "api", offset: 0))
    }
}

/// The request service of a simulated process: callers hand in requests and wait until they are
/// settled.
public final class SimulatedRequestService: RequestService {
    private let port = Mutex<(any RequestPort)?>(nil)

    public init() {}

    public func attach(_ port: any RequestPort, reads: ReadPath) throws {
        self.port.withLock { $0 = port }
    }

    /// Hands in one request.
    public func submit(_ record: Record) async throws -> SubmissionResult {
        guard let port = port.withLock({ $0 }) else {
            throw PipelineError.retryable(.shuttingDown, "the request service is not attached")
        }
        return try await port.submit(record)
    }

    public func run(grace: Duration) async throws {}
    public func probe() async throws {}
    public func close() async {}
}

internal import Glibc
internal import Synchronization

/// A thread for blocking calls. It begins with the first call, and ends when the last reference goes, after what was
/// asked of it.
public final class WorkerThread: BlockingWorker {
    private let lane = Lane()

    public init() {}

    deinit { lane.stop() }

    /// Starts the thread, as the first call does otherwise.
    /// - Throws: ``PipelineError`` `no-thread`, retryable: the system gives no more threads.
    public func start() throws(PipelineError) {
        let failed = lane.start()
        if failed == 0 { return }
        throw .retryable(
            "no-thread",
            "the system gives no thread (\(unsafe String(cString: strerror(failed)))): raise the limit of processes (ulimit -u)"
        )
    }

    /// Runs `body` after all that was asked for earlier, without waiting for it. Without a thread it waits for one.
    public func enqueue(_ body: @escaping @Sendable () -> Void) {
        lane.add(body)
        _ = lane.start()
    }

    /// - Throws: what `body` throws, and what ``start()`` does.
    public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try start()
        return try await suspended { (resumption: Resumption<T>) in
            lane.add { resumption.resume(with: Result(catching: body)) }
        }
    }
}

extension WorkerThread {
    /// Runs `body`; a cancellation ends the wait for it, not `body` itself.
    /// - Throws: what `body` throws, what ``start()`` does, and `CancellationError`.
    public func runAbandonably<T: Sendable>(
        _ body: @escaping @Sendable () throws -> T
    ) async throws -> T {
        try start()
        let wait = AbandonableWait<T>()
        return try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<T>) in
                wait.begin(resumption)
                enqueue { wait.end(Result(catching: body)) }
            }
        } onCancel: {
            wait.end(.failure(CancellationError()))
        }
    }
}

/// Ends with the first result, whoever has it.
private final class AbandonableWait<T: Sendable>: Sendable {
    private struct State {
        var resumption: Resumption<T>?
        var early: Result<T, any Error>?
        var hasEnded = false
    }
    private let state = Mutex(State())

    func begin(_ resumption: Resumption<T>) {
        let early = state.withLock { state -> Result<T, any Error>? in
            if state.early == nil { state.resumption = resumption }
            return state.early
        }
        if let early { resumption.resume(with: early) }
    }

    func end(_ result: Result<T, any Error>) {
        let resumption = state.withLock { state -> Resumption<T>? in
            if state.hasEnded { return nil }
            state.hasEnded = true
            if state.resumption == nil { state.early = result }
            return state.resumption.take()
        }
        resumption?.resume(with: result)
    }
}

/// The thread's queue. Apart from the worker, so that the thread does not keep the worker alive.
@safe private final class Lane: @unchecked Sendable {
    // The pthread objects are touched through their functions only, and the variables only while `mutex` is held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var jobs: [@Sendable () -> Void] = []
    private var isStarted = false
    private var isStopped = false

    init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe changed = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(changed, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(changed)
        unsafe pthread_mutex_destroy(mutex)
        unsafe changed.deallocate()
        unsafe mutex.deallocate()
    }

    /// Starts the thread unless it runs; answers the system's error.
    func start() -> Int32 {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        if isStarted { return 0 }
        var thread = pthread_t()
        let retained = unsafe Unmanaged.passRetained(self)
        let failed = unsafe pthread_create(
            &thread, nil,
            { argument in
                unsafe Unmanaged<Lane>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, retained.toOpaque())
        if failed != 0 {
            unsafe retained.release()
            return failed
        }
        isStarted = true
        pthread_detach(thread)
        return 0
    }

    func add(_ job: @escaping @Sendable () -> Void) {
        unsafe pthread_mutex_lock(mutex)
        jobs.append(job)
        unsafe pthread_cond_signal(changed)
        unsafe pthread_mutex_unlock(mutex)
    }

    func stop() {
        unsafe pthread_mutex_lock(mutex)
        isStopped = true
        unsafe pthread_cond_signal(changed)
        unsafe pthread_mutex_unlock(mutex)
    }

    func run() {
        while true {
            unsafe pthread_mutex_lock(mutex)
            while jobs.isEmpty && !isStopped { unsafe pthread_cond_wait(changed, mutex) }
            let taken = jobs
            jobs.removeAll(keepingCapacity: true)
            unsafe pthread_mutex_unlock(mutex)
            if taken.isEmpty { return }
            for job in taken { job() }
        }
    }
}

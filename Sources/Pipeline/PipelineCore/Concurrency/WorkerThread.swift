internal import Glibc

/// A thread for blocking calls. It ends when the last reference goes, after what was asked of it.
public final class WorkerThread: BlockingWorker {
    private let lane = Lane()

    public init() {
        var thread = pthread_t()
        let retained = unsafe Unmanaged.passRetained(lane).toOpaque()
        let failed = unsafe pthread_create(
            &thread, nil,
            { argument in
                unsafe Unmanaged<Lane>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, retained)
        precondition(failed == 0, "cannot start a thread: \(failed)")
        pthread_detach(thread)
    }

    deinit { lane.stop() }

    /// Runs `body` after all that was asked for earlier, without waiting for it.
    public func enqueue(_ body: @escaping @Sendable () -> Void) { lane.add(body) }

    public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await suspended { (resumption: Resumption<T>) in
            lane.add { resumption.resume(with: Result(catching: body)) }
        }
    }
}

/// The thread's queue. Apart from the worker, so that the thread does not keep the worker alive.
@safe private final class Lane: @unchecked Sendable {
    // The pthread objects are touched through their functions only, and `jobs` and `isStopped` only while `mutex`
    // is held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var jobs: [@Sendable () -> Void] = []
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

internal import Glibc

/// A thread for blocking calls. It ends when the last reference goes, after what was asked of it.
public final class WorkerThread: BlockingWorker {
    private let lane: Lane

    public convenience init() { self.init(idleLimit: nil, whenIdle: {}) }

    /// - Parameters:
    ///   - idleLimit: how long nothing may be asked of it until `whenIdle` runs, once.
    ///   - whenIdle: runs on the thread.
    public convenience init(idleLimit: Duration, whenIdle: @escaping @Sendable () -> Void) {
        self.init(idleLimit: .some(idleLimit), whenIdle: whenIdle)
    }

    private init(idleLimit: Duration?, whenIdle: @escaping @Sendable () -> Void) {
        lane = Lane(idleLimit: idleLimit, whenIdle: whenIdle)
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
    private let idleLimit: Duration?
    private let whenIdle: @Sendable () -> Void

    init(idleLimit: Duration?, whenIdle: @escaping @Sendable () -> Void) {
        self.idleLimit = idleLimit
        self.whenIdle = whenIdle
        unsafe mutex = .allocate(capacity: 1)
        unsafe changed = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(changed, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
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
        var hasRested = true
        while true {
            let deadline = hasRested ? nil : idleLimit.map(Self.deadline)
            unsafe pthread_mutex_lock(mutex)
            var isIdle = false
            while jobs.isEmpty && !isStopped && !isIdle { isIdle = waitForChange(until: deadline) }
            let taken = jobs
            jobs.removeAll(keepingCapacity: true)
            let isLast = isStopped
            unsafe pthread_mutex_unlock(mutex)
            if taken.isEmpty && isLast { return }
            for job in taken { job() }
            if isIdle && taken.isEmpty { whenIdle() }
            hasRested = isIdle && taken.isEmpty
        }
    }

    /// Answers whether the time is over. While `mutex` is held.
    private func waitForChange(until deadline: timespec?) -> Bool {
        guard var deadline else {
            unsafe pthread_cond_wait(changed, mutex)
            return false
        }
        return unsafe pthread_cond_timedwait(changed, mutex, &deadline) == ETIMEDOUT
    }

    private static func deadline(after duration: Duration) -> timespec {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        let nanoseconds = time.tv_nsec + Int(duration.components.attoseconds / 1_000_000_000)
        time.tv_sec += Int(duration.components.seconds) + nanoseconds / 1_000_000_000
        time.tv_nsec = nanoseconds % 1_000_000_000
        return time
    }
}

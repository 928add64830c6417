internal import Glibc

/// A thread for blocking calls. It begins with the first call, and ends when the last reference
/// goes, after what was asked of it.
public final class WorkerThread: Sendable {
    private let queue: JobQueue

    /// - Parameter begin: runs on the thread before all else.
    public convenience init(beginningWith begin: @escaping @Sendable () -> Void = {}) {
        self.init(idleLimit: nil, whenIdle: {}, begin: begin)
    }

    /// - Parameters:
    ///   - idleLimit: how long nothing may be asked of it until `whenIdle` runs, once.
    ///   - whenIdle: runs on the thread.
    public convenience init(idleLimit: Duration, whenIdle: @escaping @Sendable () -> Void) {
        self.init(idleLimit: .some(idleLimit), whenIdle: whenIdle, begin: {})
    }

    /// - Parameter starter: starts a thread; tests have one that can't.
    init(
        idleLimit: Duration?, whenIdle: @escaping @Sendable () -> Void,
        begin: @escaping @Sendable () -> Void,
        starter: @escaping Starter = { body throws(ThreadError) in
            _ = try NativeThread(name: "worker", body)
        }
    ) {
        queue = JobQueue(idleLimit: idleLimit, whenIdle: whenIdle) { body throws(ThreadError) in
            try starter {
                begin()
                body()
            }
        }
    }

    typealias Starter =
        @Sendable (_ body: @escaping @Sendable () -> Void) throws(ThreadError) -> Void

    deinit { queue.stop() }

    /// Runs `job` after all that was asked for earlier, without waiting for it.
    /// - Throws: ``ThreadError`` where the system gives no thread; `job` does not run then.
    public func add(_ job: @escaping @Sendable () -> Void) throws(ThreadError) {
        try queue.add(job)
    }
}

/// The thread's queue. Apart from the worker, so that the thread does not keep the worker alive.
@safe private final class JobQueue: @unchecked Sendable {
    // The pthread objects are touched through their functions only, and the variables only while
    // `mutex` is held.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let changed: UnsafeMutablePointer<pthread_cond_t>
    private var jobs: [@Sendable () -> Void] = []
    private var isStarted = false
    private var isStopped = false
    private let idleLimit: Duration?
    private let whenIdle: @Sendable () -> Void
    private let starter: WorkerThread.Starter

    init(
        idleLimit: Duration?, whenIdle: @escaping @Sendable () -> Void,
        starter: @escaping WorkerThread.Starter
    ) {
        self.idleLimit = idleLimit
        self.whenIdle = whenIdle
        self.starter = starter
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

    /// Starts the thread unless it runs.
    func add(_ job: @escaping @Sendable () -> Void) throws(ThreadError) {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        if !isStarted { try starter { self.run() } }
        isStarted = true
        jobs.append(job)
        unsafe pthread_cond_signal(changed)
    }

    func stop() {
        unsafe pthread_mutex_lock(mutex)
        isStopped = true
        unsafe pthread_cond_signal(changed)
        unsafe pthread_mutex_unlock(mutex)
    }

    func run() {
        var wasIdle = true
        while true {
            let deadline = wasIdle ? nil : idleLimit.map(Self.deadline)
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
            wasIdle = isIdle && taken.isEmpty
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
        let (seconds, attoseconds) = duration.components
        let end =
            Int64(MonotonicTime.nanosecondsNow) + seconds * 1_000_000_000
            + attoseconds / 1_000_000_000
        return timespec(tv_sec: Int(end / 1_000_000_000), tv_nsec: Int(end % 1_000_000_000))
    }
}

internal import CThreads
internal import Glibc
internal import Synchronization

/// A POSIX thread, for calls that block: those must not run on the cooperative pool.
@safe
public final class NativeThread: Sendable {
    private let thread: pthread_t
    private let isReleased = Atomic(false)

    /// Starts a thread.
    ///
    /// - Parameters:
    ///   - name: What debuggers and `top -H` show, at most 15 bytes.
    ///   - body: What the thread does; it ends when this returns.
    public init(name: String, _ body: @escaping @Sendable () -> Void) throws(ThreadError) {
        var thread = pthread_t()
        let box = unsafe Unmanaged.passRetained(Body(body))
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                unsafe Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, box.toOpaque())
        guard code == 0 else {
            unsafe box.release()
            throw ThreadError(code: code)
        }
        _ = unsafe penstock_name_thread(thread, name)
        self.thread = thread
    }

    deinit { if claim() { _ = pthread_detach(thread) } }

    /// Waits for the thread's end, the first time. To be called on a thread that may block, or
    /// when the end is known to be near.
    public func join() { if claim() { _ = pthread_join(thread, nil) } }

    private func claim() -> Bool { !isReleased.exchange(true, ordering: .relaxed) }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

/// The system gives no further thread.
public struct ThreadError: Error, CustomStringConvertible {
    /// What `pthread_create` answered.
    public let code: Int32

    public init(code: Int32) { self.code = code }

    public var description: String {
        "the system gives no thread (\(unsafe String(cString: strerror(code)))): raise the limit of processes (ulimit -u)"
    }
}

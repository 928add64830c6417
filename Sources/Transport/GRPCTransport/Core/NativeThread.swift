internal import CGRPC
internal import Glibc
internal import Synchronization

/// A POSIX thread, for the C core's blocking calls: those must not run on the cooperative pool.
@safe
final class NativeThread: Sendable {
    private let thread: pthread_t
    private let isReleased = Atomic(false)

    /// Starts a thread.
    ///
    /// - Parameters:
    ///   - name: What debuggers and `top -H` show, at most 15 bytes.
    ///   - body: What the thread does; it ends when this returns.
    init(name: String, _ body: @escaping @Sendable () -> Void) throws(GRPCError) {
        var thread = pthread_t()
        let box = unsafe Unmanaged.passRetained(Body(body))
        let outcome = unsafe pthread_create(
            &thread, nil,
            { argument in
                let box = unsafe Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
                box.run()
                return nil
            }, box.toOpaque())
        guard outcome == 0 else {
            unsafe box.release()
            throw GRPCError(.noThread, "cannot create the thread \(name): error \(outcome)")
        }
        _ = unsafe penstock_name_thread(thread, name)
        self.thread = thread
    }

    deinit { if claim() { _ = pthread_detach(thread) } }

    /// Waits for the thread's end, the first time. To be called on a thread that may block, or
    /// when the end is known to be near.
    func join() { if claim() { _ = pthread_join(thread, nil) } }

    private func claim() -> Bool { !isReleased.exchange(true, ordering: .relaxed) }

    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
}

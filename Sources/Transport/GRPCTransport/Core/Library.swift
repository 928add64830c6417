internal import CGRPC

/// The C core, initialised once a process.
///
/// It is never shut down: `grpc_shutdown` cleans up in another thread, and a process that has
/// served calls is about to end anyway.
/// See <https://grpc.github.io/grpc/core/grpc_8h.html>.
enum Library {
    private static let started: Void = {
        GRPCLog.install()
        grpc_init()
    }()

    /// To be called before anything else of the C core.
    static func start() { _ = started }
}

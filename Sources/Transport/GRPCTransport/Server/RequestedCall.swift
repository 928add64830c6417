internal import CGRPC

/// The place where the C core puts an incoming call, reused for one call after the other.
///
/// `Sendable`: owned by a queue's thread until the call is handed to one handler, and again after
/// the handler's answer has been sent.
@safe
final class RequestedCall: @unchecked Sendable {
    @unsafe
    struct Memory {
        var call: OpaquePointer? = nil
        var deadline = gpr_timespec()
        var metadata = unsafe grpc_metadata_array()
        var message: UnsafeMutablePointer<grpc_byte_buffer>? = nil
        var details = unsafe grpc_call_details()
        var cancelled: Int32 = 0
    }

    let memory: UnsafeMutablePointer<Memory>

    init() {
        unsafe memory = .allocate(capacity: 1)
        unsafe memory.initialize(to: Memory())
        unsafe grpc_metadata_array_init(&memory.pointee.metadata)
        unsafe grpc_call_details_init(&memory.pointee.details)
    }

    deinit {
        releaseCall()
        unsafe grpc_metadata_array_destroy(&memory.pointee.metadata)
        unsafe grpc_call_details_destroy(&memory.pointee.details)
        unsafe memory.deallocate()
    }

    /// Gives up the call but keeps the memory for the next one.
    func releaseCall() {
        if let message = unsafe memory.pointee.message { unsafe grpc_byte_buffer_destroy(message) }
        unsafe memory.pointee.message = nil
        if let call = unsafe memory.pointee.call { unsafe grpc_call_unref(call) }
        unsafe memory.pointee.call = nil
        unsafe memory.pointee.metadata.count = 0
    }

    var call: OpaquePointer { unsafe memory.pointee.call! }

    /// Ends the call without an answer, so that nothing of it stays in memory.
    func refuse(_ code: GRPCStatusCode, _ reason: String) {
        unsafe _ = grpc_call_cancel_with_status(
            call, penstock_status_code(code.rawValue), reason, nil)
        releaseCall()
    }

    /// Ends the call at this side; what was started completes, as failed.
    func cancel() { unsafe _ = grpc_call_cancel(call, nil) }

    /// Takes the reference to the call out of this place.
    func takeCall() -> CallHandle {
        let call = unsafe memory.pointee.call.take()!
        return unsafe CallHandle(owning: call)
    }

    var remaining: Duration? { unsafe memory.pointee.deadline.remaining }

    func metadata(_ key: String) -> [[UInt8]] { unsafe memory.pointee.metadata.values(for: key) }

    /// The path of a call to an unregistered method.
    var path: String { unsafe memory.pointee.details.method.text() }

    /// The place where the C core says whether the call ended before its status was sent.
    var cancelledPlace: UnsafeMutablePointer<Int32> {
        unsafe withUnsafeMutablePointer(to: &memory.pointee.cancelled) { unsafe $0 }
    }
    var wasCancelled: Bool { unsafe memory.pointee.cancelled != 0 }

    /// Lends the request's bytes.
    func withMessage<Result>(
        _ body: (Span<UInt8>) throws(GRPCStatusError) -> Result
    ) throws(GRPCStatusError) -> Result {
        guard let message = unsafe memory.pointee.message else {
            throw GRPCStatusError(.internal, "the call carried no request message")
        }
        guard let result = unsafe try ByteBuffer.withBytes(of: message, body) else {
            throw GRPCStatusError(.internal, "the request message cannot be decompressed")
        }
        return result
    }
}

/// The methods of a server.
struct ServerMethods: Sendable {
    struct Unary: Sendable {
        let path: String
        let policy: ShutdownPolicy
        let handler: UnaryHandler

        /// Has the handler look at a request.
        func begin(
            _ request: RequestedCall, on connections: Connections
        ) throws(GRPCStatusError) -> UnaryAnswer<[UInt8]> {
            try request.withMessage { message throws(GRPCStatusError) in
                try handler(message, CallContext(request, path: path, on: connections))
            }
        }
    }

    struct Stream: Sendable {
        let path: String
        let policy: ShutdownPolicy
        let handler: StreamHandler
    }

    var unary: [Unary] = []
    var streams: [Stream] = []

    func has(_ path: String) -> Bool {
        unary.contains { $0.path == path } || streams.contains { $0.path == path }
    }

    var paths: [String] { unary.map(\.path) + streams.map(\.path) }

    /// The full names of the services to which the methods belong.
    var services: [String] {
        Set(paths.compactMap { $0.split(separator: "/").first.map(String.init) }).sorted()
    }
}

/// Starts the asynchronous part of calls.
///
/// Calls begin on threads of the C core, which belong to no task, and each one must be cancellable
/// alone. So this is the place where unstructured tasks are created; the server counts them and
/// its shutdown waits for all of them.
public protocol GRPCTaskRunner: Sendable {
    /// Starts `operation` without waiting for it.
    ///
    /// - Returns: what cancels the operation; called at most once, from any thread.
    func start(
        _ operation: @escaping @concurrent @Sendable () async -> Void
    ) -> @Sendable () -> Void
}

/// Runs each call in a task on the global executor.
public struct UnstructuredTaskRunner: GRPCTaskRunner {
    /// Creates the runner.
    public init() {}

    public func start(
        _ operation: @escaping @concurrent @Sendable () async -> Void
    ) -> @Sendable () -> Void {
        let task = Task(operation: operation)
        return { task.cancel() }
    }
}

internal import CGRPC
internal import Calendar
internal import Concurrency
internal import Glibc
internal import Synchronization

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

/// A line that the C core has logged.
public struct GRPCLogLine: Sendable {
    /// Whether it tells of an error, and not of details.
    public var isError: Bool
    /// What it says, in the C core's words.
    public var message: String
}

/// Where the C core's log goes: to whoever asks for it, and never to standard error by itself.
public enum GRPCLog {
    private static let receiver = Mutex<(@Sendable (GRPCLogLine) -> Void)?>(nil)

    /// Hands every further line of this process to `body`, in place of who got them before.
    public static func receive(_ body: @escaping @Sendable (GRPCLogLine) -> Void) {
        receiver.withLock { $0 = body }
    }

    /// To be called before anything else of the C core.
    fileprivate static func install() {
        unsafe penstock_set_log { line in
            guard let body = GRPCLog.receiver.withLock({ $0 }), let line = unsafe line?.pointee,
                let message = unsafe line.message
            else { return }
            unsafe body(
                GRPCLogLine(isError: line.severity >= 2, message: String(cString: message)))
        }
    }
}

/// The settings of a channel or server in the C core's form.
///
/// See <https://grpc.github.io/grpc/core/group__grpc__arg__keys.html>.
@safe
struct ChannelArguments: ~Copyable {
    private let arguments: UnsafeMutableBufferPointer<grpc_arg>

    init(_ values: KeyValuePairs<String, Int>) {
        unsafe arguments = .allocate(capacity: values.count)
        for (index, (key, value)) in values.enumerated() {
            var argument = unsafe grpc_arg()
            unsafe argument.type = GRPC_ARG_INTEGER
            unsafe argument.key = strdup(key)
            unsafe argument.value.integer = Int32(clamping: value)
            unsafe arguments.initializeElement(at: index, to: argument)
        }
    }

    deinit {
        for index in unsafe arguments.indices { unsafe free(arguments[index].key) }
        unsafe arguments.deallocate()
    }

    /// Lends the settings for the time of one call of the C core, which copies them.
    borrowing func withPointer<Result>(
        _ body: (UnsafePointer<grpc_channel_args>) -> Result
    ) -> Result {
        var all = unsafe grpc_channel_args(
            num_args: arguments.count, args: arguments.baseAddress)
        return unsafe body(&all)
    }
}

extension Duration {
    /// Whole milliseconds, as the C core's settings count them: 1 to 2³¹ - 1.
    var settingMilliseconds: Int { Int(max(1, min(Int64(Int32.max), wholeMilliseconds))) }
}

extension NativeThread {
    /// Starts a thread of a client or a server.
    static func starting(
        name: String, _ body: @escaping @Sendable () -> Void
    ) throws(GRPCError) -> NativeThread {
        do { return try NativeThread(name: name, body) } catch {
            throw GRPCError(.noThread, "\(error)")
        }
    }
}

extension gpr_timespec {
    /// Longer waits are taken as for ever.
    private static let longest = Duration.seconds(86_400 * 365)

    /// The moment after `duration`; `nil` means for ever.
    init(after duration: Duration?) {
        guard let duration, duration < Self.longest else {
            self = gpr_inf_future(GPR_CLOCK_MONOTONIC)
            return
        }
        let (seconds, attoseconds) = duration.components
        let span = gpr_timespec(
            tv_sec: seconds, tv_nsec: Int32(attoseconds / 1_000_000_000), clock_type: GPR_TIMESPAN)
        self = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), span)
    }

    /// The time from now to this moment, negative when it has passed; `nil` means for ever.
    var remaining: Duration? {
        guard gpr_time_cmp(self, gpr_inf_future(clock_type)) != 0 else { return nil }
        let span = gpr_time_sub(self, gpr_now(clock_type))
        return .seconds(span.tv_sec) + .nanoseconds(Int64(span.tv_nsec))
    }
}

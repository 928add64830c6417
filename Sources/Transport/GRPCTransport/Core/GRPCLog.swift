internal import CGRPC
internal import Synchronization

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
    static func install() {
        unsafe penstock_set_log { line in
            guard let body = GRPCLog.receiver.withLock({ $0 }), let line = unsafe line?.pointee,
                let message = unsafe line.message
            else { return }
            unsafe body(
                GRPCLogLine(isError: line.severity >= 2, message: String(cString: message)))
        }
    }
}

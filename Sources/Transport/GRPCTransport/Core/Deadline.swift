internal import CGRPC

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

internal import Glibc

/// The machine's monotonic clock, also where time is simulated: it bounds waits for the system
/// itself.
public enum MonotonicTime {
    /// Nanoseconds since some time before the process began.
    public static var nanosecondsNow: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

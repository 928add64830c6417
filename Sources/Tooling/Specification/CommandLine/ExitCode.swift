/// How a command ended; the numbers above 1 are those of
/// [sysexits.h](https://man.freebsd.org/cgi/man.cgi?query=sysexits).
public enum ExitCode: Int32, Sendable, CaseIterable {
    /// It did what it was asked for.
    case success = 0
    /// It found that something is not as it should be.
    case failure = 1
    /// It was not understood.
    case usage = 64
    /// A service it needs is not there.
    case unavailable = 69
    /// It is broken itself.
    case `internal` = 70
    /// It failed for now; the same command may work later.
    case temporaryFailure = 75
    /// Its configuration is wrong.
    case configuration = 78
}

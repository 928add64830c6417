/// How a command ended; the numbers from 64 to 78 are those of
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
    /// What it printed could not be written.
    case outputFailed = 74
    /// It failed for now; the same command may work later.
    case temporaryFailure = 75
    /// Its configuration is wrong.
    case configuration = 78
    /// Whoever read its output has gone, as if SIGPIPE had ended it.
    case outputClosed = 141
}

/// Why a command could not do what it was asked for, in a sentence for its user.
public struct CommandFailure: Error, Sendable, Equatable {
    /// How the command ends.
    public var code: ExitCode
    /// What is wrong and what to do about it.
    public var message: String

    /// A failure.
    public init(_ code: ExitCode, _ message: String) {
        self.code = code
        self.message = message
    }
}

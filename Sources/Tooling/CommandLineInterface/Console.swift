/// Where a command prints: injected, so that commands can be tested and this target does no I/O.
public struct Console: Sendable {
    /// Prints a result, as it stands.
    public var out: @Sendable (_ text: String) -> Void
    /// Prints a message, as it stands.
    public var err: @Sendable (_ text: String) -> Void
    /// Whether messages are read by a person now.
    public var isTerminal: Bool
    /// Whether results are read by a person now.
    public var isOutTerminal: Bool
    /// Whether a person who reads wants colours.
    public var allowsColour: Bool

    /// A console.
    public init(
        out: @escaping @Sendable (_ text: String) -> Void,
        err: @escaping @Sendable (_ text: String) -> Void, isTerminal: Bool = false,
        isOutTerminal: Bool = false, allowsColour: Bool = false
    ) {
        self.out = out
        self.err = err
        self.isTerminal = isTerminal
        self.isOutTerminal = isOutTerminal
        self.allowsColour = allowsColour
    }
}

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

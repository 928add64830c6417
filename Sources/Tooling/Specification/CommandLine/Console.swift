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

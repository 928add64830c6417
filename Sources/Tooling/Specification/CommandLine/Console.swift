/// Where a command prints: injected, so that commands can be tested and this target does no I/O.
public struct Console: Sendable {
    /// Prints a result, as it stands.
    public var out: @Sendable (_ text: String) -> Void
    /// Prints a message, as it stands.
    public var err: @Sendable (_ text: String) -> Void
    /// Whether messages are read by a person now.
    public var isTerminal: Bool

    /// A console.
    public init(
        out: @escaping @Sendable (_ text: String) -> Void,
        err: @escaping @Sendable (_ text: String) -> Void, isTerminal: Bool = false
    ) {
        self.out = out
        self.err = err
        self.isTerminal = isTerminal
    }
}

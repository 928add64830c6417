internal import Specification
internal import Synchronization

/// A console that keeps what a command says.
final class HeardConsole: Sendable {
    private let text = Mutex("")

    /// What has been said as messages.
    var err: String { text.withLock { $0 } }

    var console: Console {
        Console(out: { _ in }, err: { [self] said in text.withLock { $0 += said } })
    }
}

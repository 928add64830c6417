public import PipelineCore
internal import Synchronization

/// Errors that a fake throws, one a call, until there are no more.
public final class Failures: Sendable {
    private let left: Mutex<[PipelineError]>

    public init(_ errors: [PipelineError] = []) { left = Mutex(errors) }

    /// The next calls throw these.
    public func add(_ errors: PipelineError...) { left.withLock { $0 += errors } }

    /// Throws the next error, if one is left.
    public func throwNext() throws {
        let next = left.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        if let next { throw next }
    }
}

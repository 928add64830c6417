/// Tells a waiting task whether its operation succeeded.
///
/// `Sendable`: never changed after it was made.
final class Acknowledgement: Completion, @unchecked Sendable {
    private let continuation: CheckedContinuation<Bool, Never>

    init(_ continuation: CheckedContinuation<Bool, Never>) { self.continuation = continuation }

    override func complete(succeeded: Bool) { continuation.resume(returning: succeeded) }
}

/// Keeps what a batch points to alive until its completion, which nobody waits for.
///
/// `Sendable`: never changed after it was made.
final class FinalCompletion: Completion, @unchecked Sendable {
    private let kept: [AnyObject?]

    init(keeping kept: AnyObject?...) { self.kept = kept }

    override func complete(succeeded: Bool) {}
}

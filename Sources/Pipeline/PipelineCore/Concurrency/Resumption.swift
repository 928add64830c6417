/// A suspended task, resumed exactly once by whoever removed it from the state that holds it (the
/// proof is the removal, under the lock). A checked one would complain for every killed simulated process.
@safe public struct Resumption<T: Sendable>: Sendable {
    private let continuation: UnsafeContinuation<T, any Error>
    public func resume(with result: Result<T, any Error>) {
        unsafe continuation.resume(with: result)
    }
    public func resume(returning value: T) { unsafe continuation.resume(returning: value) }
    public func resume(throwing error: any Error) { unsafe continuation.resume(throwing: error) }
    fileprivate init(_ continuation: UnsafeContinuation<T, any Error>) {
        unsafe self.continuation = continuation
    }
}

/// Suspends the task until `body`'s resumption is resumed.
public func suspended<T: Sendable>(_ body: (Resumption<T>) -> Void) async throws -> T {
    unsafe try await withUnsafeThrowingContinuation { unsafe body(Resumption($0)) }
}

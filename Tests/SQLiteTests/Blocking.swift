import Synchronization

/// Calls a database from inside a transaction of another connection, where nothing can be awaited.
///
/// The database must have an inline worker: then `body` never suspends, and has ended when
/// `immediate` returns.
func blocking(_ body: @escaping @Sendable () async throws -> Void) throws {
    let result = ResultBox()
    Task.immediate {
        do {
            try await body()
            result.value.withLock { $0 = .success(()) }
        } catch {
            result.value.withLock { $0 = .failure(error) }
        }
    }
    try result.value.withLock { $0! }.get()
}

private final class ResultBox: Sendable {
    let value = Mutex<Result<Void, any Error>?>(nil)
}

internal import PipelineCore

/// Keeps a lease alive while work is done under it.
struct LeaseKeeper: Sendable {
    let lease: Duration
    let environment: RunEnvironment
    let extend: @Sendable () async throws -> Void

    /// Runs `body`, extending the lease three times in its length.
    /// - Throws: what `body` throws; `fenced` as soon as an extension is refused, `body` is cancelled then.
    func holding<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
        try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                while true {
                    try await environment.clock.sleep(for: lease / 3)
                    try await environment.retrying("extend a lease") { try await extend() }
                }
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }
}

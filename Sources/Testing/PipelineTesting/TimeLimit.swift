/// Runs `body`, but not for ever.
///
/// - Throws: ``ConformanceFailure`` when `limit` passes first; `body` is cancelled then and
///   awaited.
func within<T: Sendable>(
    _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
    try await withThrowingTaskGroup(of: T?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await ContinuousClock().sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let result = try await group.next()! else {
            throw ConformanceFailure("\(what): not within \(limit)")
        }
        return result
    }
}

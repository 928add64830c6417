/// What an implementation did that its contract forbids, or left undone.
///
/// An error rather than a recorded issue, so that the suites run under any test library.
public struct ConformanceFailure: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// - Throws: ``ConformanceFailure`` with `message` unless `condition` holds.
func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    if !condition { throw ConformanceFailure(message()) }
}

/// - Throws: ``ConformanceFailure`` that shows both values unless they are equal.
func requireEqual<T: Equatable>(_ found: T, _ wanted: T, _ what: @autoclosure () -> String) throws {
    if found != wanted { throw ConformanceFailure("\(what()): \(found) instead of \(wanted)") }
}

/// Runs `body`, but not for ever.
///
/// - Throws: ``ConformanceFailure`` when `limit` passes first; `body` is cancelled then and awaited.
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

public import PipelineCore

/// One promise of a role, as a named check that any implementation can be put to.
///
/// Suites are plain arrays of these, so that any test framework can run them; with Swift Testing:
/// `@Test(arguments: CacheConformance.checks) func keeps(_ check: ConformanceCheck<…>)`.
public struct ConformanceCheck<Subject>: Sendable, CustomStringConvertible {
    /// The promise, as a sentence without its subject: `answers in the order of the keys`.
    public let name: String
    /// Puts one implementation to the check.
    /// - Throws: ``ConformanceFailure``, or what the implementation threw.
    public let run: @Sendable (Subject) async throws -> Void

    public init(_ name: String, run: @escaping @Sendable (Subject) async throws -> Void) {
        self.name = name
        self.run = run
    }

    public var description: String { name }
}

/// A promise that was not kept.
public struct ConformanceFailure: Error, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }
}

/// Throws a ``ConformanceFailure`` unless the condition holds.
func require(_ condition: Bool, _ promise: @autoclosure () -> String) throws {
    if !condition { throw ConformanceFailure(promise()) }
}

/// Throws a ``ConformanceFailure`` unless both are equal.
func requireEqual<T: Equatable>(
    _ found: T, _ expected: T, _ promise: @autoclosure () -> String = "the answer"
) throws {
    if found != expected {
        throw ConformanceFailure("\(promise()): expected \(expected), found \(found)")
    }
}

/// The value, or a ``ConformanceFailure`` if there is none.
func requireValue<T>(_ value: T?, _ promise: @autoclosure () -> String) throws -> T {
    guard let value else { throw ConformanceFailure("no \(promise())") }
    return value
}

/// Throws a ``ConformanceFailure`` unless `body` throws that error.
func requireError(
    _ disposition: PipelineError.Disposition, _ code: ErrorCode, from body: () async throws -> Void
) async throws {
    do {
        try await body()
    } catch let error as PipelineError where error.disposition == disposition && error.code == code
    {
        return
    } catch {
        throw ConformanceFailure("expected \(disposition) \(code), found \(error)")
    }
    throw ConformanceFailure("expected \(disposition) \(code), found no error")
}

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

/// A code by its name, in tests: what is expected stands there as people see it.
extension ErrorCode: ExpressibleByStringLiteral {
    public init(stringLiteral name: String) { self.init(foreign: name) }
}

internal import PipelineCore

/// The value, or a ``ConformanceFailure`` if there is none.
func requireValue<T>(_ value: T?, _ promise: @autoclosure () -> String) throws -> T {
    guard let value else { throw ConformanceFailure("no \(promise())") }
    return value
}

/// Throws a ``ConformanceFailure`` unless `body` throws that error.
func requireError(
    _ disposition: PipelineError.Disposition, _ code: String, from body: () async throws -> Void
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

public import PipelineCore

/// A promise that an implementation does not keep.
public struct ConformanceFailure: Error, CustomStringConvertible {
    public let message: String
    public let line: UInt
    public let file: String
    public var description: String { "\(message) (\(file):\(line))" }
}

/// Fails the check unless `condition` holds.
func expect(
    _ condition: Bool, _ message: @autoclosure () -> String, file: String = #fileID,
    line: UInt = #line
) throws {
    if !condition { throw ConformanceFailure(message: message(), line: line, file: file) }
}

/// Fails the check unless the two are equal.
func expectEqual<T: Equatable>(
    _ actual: T, _ wanted: T, _ what: String = "", file: String = #fileID, line: UInt = #line
) throws {
    try expect(actual == wanted, "\(what): \(actual), not \(wanted)", file: file, line: line)
}

/// Fails the check if there is no value.
func unwrap<T>(
    _ value: T?, _ what: String, file: String = #fileID, line: UInt = #line
) throws -> T {
    guard let value else { throw ConformanceFailure(message: "no \(what)", line: line, file: file) }
    return value
}

/// Fails the check unless `body` throws that error.
func expectError(
    _ disposition: PipelineError.Disposition, _ code: String, file: String = #fileID,
    line: UInt = #line, from body: () async throws -> Void
) async throws {
    do {
        try await body()
    } catch let error as PipelineError where error.disposition == disposition && error.code == code
    {
        return
    } catch {
        throw ConformanceFailure(
            message: "\(error), not \(disposition) \(code)", line: line, file: file)
    }
    throw ConformanceFailure(
        message: "no error, instead of \(disposition) \(code)", line: line, file: file)
}

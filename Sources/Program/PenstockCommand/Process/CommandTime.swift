internal import PipelineCore
internal import Protobuf
internal import Specification

/// Points of time as people type them.
enum CommandTime {
    /// RFC 3339, a date (its midnight in UTC), or a duration from now: `2026-10-01`, `90s`.
    /// - Throws: ``CommandFailure`` `usage`.
    static func parse(
        _ text: String, option: String, _ clock: PipelineClock
    ) throws -> Google_Protobuf_Timestamp {
        let isDate = text.count == 10 && !text.contains("T")
        let full = isDate ? "\(text)T00:00:00Z" : text
        if let time = try? Google_Protobuf_Timestamp(
            jsonUTF8Bytes: Array(JSON.quoted(full).utf8))
        {
            return time
        }
        if let duration = try? Duration.parse(text, unit: nil) {
            let then = clock.timestamp.advanced(by: duration).microseconds
            return .with {
                $0.seconds = then / 1_000_000
                $0.nanos = Int32(then % 1_000_000) * 1000
            }
        }
        throw CommandFailure(
            .usage,
            "--\(option) \(text): expected RFC 3339 (2026-10-01T00:00:00Z), a date, or a duration from now (90s)"
        )
    }
}

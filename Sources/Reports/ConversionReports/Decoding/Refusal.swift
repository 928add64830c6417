internal import PipelineCore
internal import Protobuf

/// Why a payload is refused: what becomes a `Rejection` once record and stage are known.
struct Refusal: Error {
    var code: String
    var reason: String
    var violations: [FieldViolation] = []

    /// The fields hold what the rules do not allow: all of them, at once.
    static func invalid(_ violations: [FieldViolation]) -> Refusal {
        let reason = violations.map { "\($0.field) \($0.description)" }.joined(separator: "; ")
        return Refusal(code: "invalid-argument", reason: reason, violations: violations)
    }

    /// No answer could ever have been in time.
    static var deadlinePassed: Refusal {
        let reason = "had passed when the request was sent; leave it out to ask without one"
        return Refusal(
            code: "deadline-passed", reason: "deadline \(reason)",
            violations: [FieldViolation(field: "deadline", description: reason)])
    }

    /// The payload is no message of its type. Reading stops at the first such error.
    static func unreadable(_ error: ProtobufError) -> Refusal {
        switch error.code {
        case .unknownField, .duplicateField,
            .invalidValue where !error.path.isEmpty:
            let violation = FieldViolation(field: error.path, description: error.message)
            return Refusal(
                code: "invalid-argument", reason: error.description,
                violations: error.path.isEmpty ? [] : [violation])
        default:
            return Refusal(code: "malformed", reason: error.description)
        }
    }

    func rejection(of record: Record, stage: String) -> Rejection {
        Rejection(record, stage: stage, code: code, reason: reason, violations: violations)
    }
}

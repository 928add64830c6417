/// An operating error, and what the runtime may do about it.
public struct PipelineError: Error, Sendable, CustomStringConvertible {
    public enum Disposition: String, Sendable {
        /// Trying again may help: back-off, then again.
        case retryable
        /// This input will never work; others may.
        case permanent
        /// The pipeline can't go on.
        case fatal
        /// Another process has taken over this input or this batch: give it up, start from what is
        /// stored.
        case fenced
    }
    public var disposition: Disposition
    public var code: ErrorCode
    /// One sentence for a person, saying what to do where something can be done. Never a secret.
    public var message: String
    public var cause: (any Error)?

    public init(
        _ disposition: Disposition, code: ErrorCode, _ message: String, cause: (any Error)? = nil
    ) {
        self.disposition = disposition
        self.code = code
        self.message = message
        self.cause = cause
    }

    public static func retryable(_ code: ErrorCode, _ message: String, cause: (any Error)? = nil)
        -> Self
    {
        Self(.retryable, code: code, message, cause: cause)
    }
    public static func permanent(_ code: ErrorCode, _ message: String, cause: (any Error)? = nil)
        -> Self
    {
        Self(.permanent, code: code, message, cause: cause)
    }
    public static func fatal(_ code: ErrorCode, _ message: String, cause: (any Error)? = nil)
        -> Self
    {
        Self(.fatal, code: code, message, cause: cause)
    }
    public static func fenced(_ code: ErrorCode, _ message: String, cause: (any Error)? = nil)
        -> Self
    {
        Self(.fenced, code: code, message, cause: cause)
    }

    public var description: String { "\(message) [\(code)]" }
}

/// One record that a stage refuses for good; it goes to the dead letters, the rest of its chunk
/// goes on.
public struct Rejection: Sendable {
    public var record: Record
    /// The stage's id.
    public var stage: String
    public var code: ErrorCode
    /// One sentence for a person, naming the field where there is one.
    public var reason: String
    public var attempts: Int
    /// Each field that is wrong, where the reason is in the fields.
    public var violations: [FieldViolation]

    public init(
        _ record: Record, stage: String, code: ErrorCode, reason: String, attempts: Int = 1,
        violations: [FieldViolation] = []
    ) {
        self.record = record
        self.stage = stage
        self.code = code
        self.reason = reason
        self.attempts = attempts
        self.violations = violations
    }
}

/// What is wrong with one field of a request.
public struct FieldViolation: Sendable, Hashable {
    /// The field's path: `period.end_time`.
    public var field: String
    public var description: String
    public init(field: String, description: String) {
        self.field = field
        self.description = description
    }
}

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
    /// The server that is out of reach or of no use, where it and not what was asked of it is what
    /// is wrong: one ``Outage`` tells of it for all who need it.
    public var backend: Backend?

    public init(
        _ disposition: Disposition, code: ErrorCode, _ message: String, cause: (any Error)? = nil
    ) {
        self.disposition = disposition
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// An error that ends as its code says; the other ways to make one are for a place that says by
    /// itself what may be done. A code from outside, which says nothing, is fatal.
    public init(_ code: ErrorCode, _ message: String, cause: (any Error)? = nil) {
        self.init(code.ending?.disposition ?? .fatal, code: code, message, cause: cause)
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

    /// The same error, as the fault of a backend.
    public func of(_ backend: Backend?) -> Self {
        var error = self
        error.backend = backend
        return error
    }
}

/// What stages need and what may be away: a server, a file's disk.
public struct Backend: Sendable, Hashable, CustomStringConvertible {
    public enum Kind: Sendable {
        case bus, cache, generator, store, webhook

        /// Whether errors of that code are about such a backend, of which a process has one as a
        /// rule.
        func has(_ code: ErrorCode) -> Bool {
            self != .generator && self != .webhook && code.name.hasPrefix("\(self)-")
        }

        /// The code of errors that say that it is away; of a generator, a store's has to do.
        var absence: ErrorCode {
            switch self {
            case .bus: .busUnavailable
            case .cache: .cacheUnavailable
            case .generator, .store: .storeUnavailable
            case .webhook: .webhookUnavailable
            }
        }

        /// What goes on without it, as the end of a sentence.
        var meanwhile: String {
            switch self {
            case .bus:
                "nothing is read from it or announced; callers are served, and outcomes wait"
            case .cache: "reads are answered by the store, and repeats go on to it"
            case .generator: "batches go to others, or wait"
            case .store:
                "nothing is accepted, generated or delivered; what was accepted is kept there"
            case .webhook: "its calls wait, and everything else goes on"
            }
        }
    }
    public var kind: Kind
    /// What it is and where, without credentials: `PostgreSQL at db:5432`.
    public var name: String

    public init(_ kind: Kind, _ name: String) {
        self.kind = kind
        self.name = name
    }

    public var description: String { name }
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

/// What an error or a refusal is known by: `store-in-use`, `malformed`.
///
/// A code is declared once, by whoever throws it, with what it means and what to do; the catalogue
/// lists them all (``Catalogue/errorCodes``), and `penstock explain-error` tells of them. Errors
/// and refusals share the type, since a refused record often has the code of the error that refused
/// it.
///
/// To carry one costs a reference, and no allocation. Two codes are the same if their names are.
public struct ErrorCode: Sendable {
    /// What becomes of the process, or of what the code was said of.
    public enum Ending: Sendable {
        /// It is tried again and again; a command that can't wait gives up.
        case passing
        /// One record, or what else it is said of, is refused, and everything else goes on.
        case record
        /// It is told of, and everything goes on.
        case noted
        /// Whoever has taken over goes on; here the input or the batch is given up.
        case takenOver
        /// The command fails.
        case failure
        /// The files are in order, but somebody has to do something about a server, a database, a
        /// file or an address.
        case unavailable
        /// The output could not be written.
        case outputFailed
        /// Whoever read the output has gone.
        case outputClosed

        /// What may be done about an error that ends so.
        fileprivate var disposition: PipelineError.Disposition {
            switch self {
            case .passing: .retryable
            case .record, .noted: .permanent
            case .takenOver: .fenced
            case .failure, .unavailable, .outputFailed, .outputClosed: .fatal
            }
        }
    }

    private final class Declaration: Sendable {
        let name: String
        let meaning: String
        let remedy: String
        let ending: Ending?

        init(_ name: String, _ ending: Ending?, _ meaning: String, _ remedy: String) {
            self.name = name
            self.ending = ending
            self.meaning = meaning
            self.remedy = remedy
        }
    }

    private let declaration: Declaration

    /// Declares a code, as a `static let` that the catalogue lists.
    ///
    /// - Parameters:
    ///   - name: stable, kebab-case: people search for it, and programs compare it.
    ///   - meaning: what has happened, a sentence.
    ///   - remedy: what to do about it, a sentence.
    public init(_ name: String, _ ending: Ending, _ meaning: String, remedy: String) {
        declaration = Declaration(name, ending, meaning, remedy)
    }

    /// Declares a code by the name of a diagnostic, for what `validate` finds first: it is
    /// explained as that diagnostic.
    public init(diagnostic name: String, _ ending: Ending) {
        declaration = Declaration(name, ending, "", "")
    }

    /// A name that came from outside: from a remote generator, or from a row of a store.
    public init(foreign name: String) {
        declaration = Declaration(name, nil, "", "")
    }

    /// Stable and kebab-case: `store-unavailable`, `position-moved`, `lease-lost`.
    public var name: String { declaration.name }
    /// What has happened, a sentence; empty for a diagnostic's name and for one from outside.
    public var meaning: String { declaration.meaning }
    /// What to do about it, a sentence; empty where the meaning is.
    public var remedy: String { declaration.remedy }
    /// What becomes of it, unless the error's disposition says that it passes; `nil` for a name
    /// from outside.
    public var ending: Ending? { declaration.ending }
}

extension ErrorCode: Hashable, CustomStringConvertible {
    public static func == (one: Self, other: Self) -> Bool {
        one.declaration === other.declaration || one.name == other.name
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(name) }

    public var description: String { name }
}

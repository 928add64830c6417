/// Who calls, as a credential says.
public struct Caller: Sendable, Hashable {
    /// The name that the credential was made out for.
    public var subject: String
    /// What the subject may do.
    public var role: Role

    /// A caller.
    public init(subject: String, role: Role) {
        self.subject = subject
        self.role = role
    }

    /// The longest subject, in bytes of UTF-8: that of a request's `requester`.
    public static let maxSubjectBytes = 200

    /// What is wrong with a subject; `nil` if nothing is.
    public static func objection(to subject: String) -> String? {
        guard (1...maxSubjectBytes).contains(subject.utf8.count) else {
            return "has \(subject.utf8.count) bytes of UTF-8: 1 to \(maxSubjectBytes)"
        }
        let isPlain = subject.unicodeScalars.allSatisfy {
            $0.properties.generalCategory != .control
        }
        return isPlain && subject.first?.isWhitespace == false
            && subject.last?.isWhitespace == false
            ? nil : "has control characters, or white space around it"
    }
}

/// What a subject may do, in four steps.
public enum Role: String, Sendable, CaseIterable {
    /// Asks for reports, and reads and cancels what it has asked for.
    case requester
    /// Reads everybody's reports, and changes nothing.
    case reader
    /// May call everything: the report API and the admin service.
    case `operator`
    /// May what an operator may.
    case admin

    /// Whether it may call methods of that kind.
    public func may(_ permission: Permission) -> Bool {
        switch self {
        case .requester: permission != .administer
        case .reader: permission == .read
        case .operator, .admin: true
        }
    }

    /// Whether cases of other requesters are there for it.
    public var seesAllCases: Bool { self != .requester }

    /// Whether it may ask in somebody else's name.
    public var namesRequesters: Bool { may(.administer) }
}

/// The kinds of methods that roles are told apart by.
public enum Permission: Sendable, CaseIterable {
    /// Asking for reports.
    case create
    /// Reading cases.
    case read
    /// Ending cases.
    case cancel
    /// The admin service.
    case administer
}

/// Why a credential is refused: for the log, never for the caller.
///
/// Its words are the program's own: nothing of the credential is in them.
public struct CredentialRefusal: Error, Sendable, Hashable {
    /// What tells it from others, of a bounded number.
    public var reason: String

    init(_ reason: String) { self.reason = reason }
}

/// Why a file of credentials can't be used.
public struct CredentialFileError: Error, Sendable, Equatable {
    /// A sentence that names the file, without what is in it.
    public var message: String

    init(_ path: String, _ reason: String) { message = "\(path): \(reason)" }
}

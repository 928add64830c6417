internal import Calendar

/// What operators may hold up: it holds for every process that works on the ledger, across
/// restarts, until it is ended.
///
/// Whoever is at work goes on to the end; nothing new is taken in, sealed, claimed or handed over.
public protocol LedgerPauses: Sendable {
    /// Holds the parts up; one that is held up already keeps its time and its reason.
    func pause(_ parts: Set<LedgerPart>, reason: String) async throws
    /// Lets the parts go on; others stay as they are.
    func resume(_ parts: Set<LedgerPart>) async throws
    func pauses() async throws -> [LedgerPart: LedgerPause]
    /// Keeps what somebody has changed, for whoever asks later, and for the logs of all processes.
    func note(_ action: String, by actor: String) async throws
    /// The latest changes, the oldest of them first.
    ///
    /// - Parameter number: only later ones; `nil`: any.
    func changes(after number: Int64?, limit: Int) async throws -> [LedgerChange]
}

/// A part of what is done with a ledger's cases.
public enum LedgerPart: Sendable, Hashable {
    /// What an ingest stage reads, by its id.
    case intake(String)
    case sealing
    case generation
    /// By the sink's id.
    case delivery(String)

    /// How ledgers write it.
    public var text: String {
        switch self {
        case .intake(let stage): "intake:\(stage)"
        case .sealing: "seal"
        case .generation: "generate"
        case .delivery(let sink): "deliver:\(sink)"
        }
    }

    /// For people.
    public var spoken: String {
        switch self {
        case .intake(let stage): "intake of \(stage)"
        case .sealing: "sealing"
        case .generation: "generation"
        case .delivery(let sink): "delivery to \(sink)"
        }
    }

    /// The stage's or sink's id, where it is known by that.
    public var name: String? {
        switch self {
        case .intake(let id), .delivery(let id): id
        case .sealing, .generation: nil
        }
    }

    /// The same of another stage or sink.
    public func named(_ name: String) -> Self {
        switch self {
        case .intake: .intake(name)
        case .delivery: .delivery(name)
        case .sealing, .generation: self
        }
    }

    /// `nil` for what no version writes.
    public init?(text: String) {
        switch text {
        case "seal": self = .sealing
        case "generate": self = .generation
        default:
            guard let colon = text.firstIndex(of: ":") else { return nil }
            let stage = String(text[text.index(after: colon)...])
            switch text[..<colon] {
            case "intake": self = .intake(stage)
            case "deliver": self = .delivery(stage)
            default: return nil
            }
        }
    }
}

/// Since when and why a part is held up.
public struct LedgerPause: Sendable, Hashable {
    public var since: Timestamp
    public var reason: String
    public init(since: Timestamp, reason: String) {
        self.since = since
        self.reason = reason
    }

    /// Why, and since when, for those who are kept waiting by it.
    public var sentence: String {
        let since = CivilTime(microsecondsSinceEpoch: since.microseconds)
        return "\(reason), since \(since.rfc3339(.microsecondsUnlessZero))"
    }
}

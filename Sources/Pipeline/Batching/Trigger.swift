/// The rule that seals batches: a monotone predicate over what has arrived since it last fired.
public indirect enum Trigger: Sendable, Hashable {
    /// As many cases wait.
    case count(Int)
    /// The oldest case has waited that long.
    case maxAge(Duration)
    /// The earliest deadline is no further away than that.
    case deadlineMargin(Duration)
    /// Somebody asked for it (`penstock flush`).
    case manual
    /// One of them holds.
    case any([Trigger])
    /// All of them hold.
    case all([Trigger])

    /// The name that `closed_by` keeps.
    public var name: String {
        switch self {
        case .count: "count"
        case .maxAge: "max_age"
        case .deadlineMargin: "deadline_margin"
        case .manual: "manual"
        case .any: "any"
        case .all: "all"
        }
    }
}

/// The rule that seals batches: a predicate over what has arrived since it last fired.
///
/// Each is monotone in time: for the same arrivals, what holds goes on holding until the batch is
/// sealed (and of `idle` alone, until more arrives). None is spent: as soon as cases wait again, all
/// are armed again. Nothing holds while nothing waits.
public indirect enum Trigger: Sendable, Hashable {
    /// As many cases wait.
    case count(Int)
    /// The oldest case has waited that long.
    case maxAge(Duration)
    /// For that long nothing has arrived, and nothing has been sealed.
    ///
    /// Repeats of known cases are no arrivals. On its own it may leave a case for ever: each arrival
    /// starts the time anew.
    case idle(Duration)
    /// A multiple of that period, counted from 1970-01-01T00:00:00Z, has passed since the oldest
    /// case arrived: `1h` at every full hour of UTC, `12h` at midnight and noon.
    ///
    /// The ticks stand still, as those of `cron` do: neither a firing nor a restart moves them, all
    /// processes agree on them, and no case waits longer than one period, whatever other triggers do.
    /// A tick while nothing waits passes; several missed ones are one.
    case every(Duration)
    /// A tick of the schedule has passed since the oldest case arrived. A tick while nothing waits
    /// passes; several missed ones are one.
    case cron(CronSchedule)
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
        case .idle: "idle"
        case .every: "every"
        case .cron: "cron"
        case .deadlineMargin: "deadline_margin"
        case .manual: "manual"
        case .any: "any"
        case .all: "all"
        }
    }

    /// Whether somebody's asking can make it hold.
    public var isManual: Bool {
        if case .manual = self { return true }
        return parts.contains(where: \.isManual)
    }

    /// What it is composed of.
    var parts: [Trigger] {
        switch self {
        case .any(let triggers), .all(let triggers): triggers
        case .count, .maxAge, .idle, .every, .cron, .deadlineMargin, .manual: []
        }
    }

    /// The rules of which one is enough, however deep an `any` stands in another.
    var alternatives: [Trigger] {
        if case .any(let triggers) = self { return triggers.flatMap(\.alternatives) }
        return [self]
    }
}

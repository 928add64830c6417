public import PipelineCore
public import Specification

extension Diagnostic.Code {
    /// A rule never decides anything.
    public static let idleRule = Self(
        "idle-rule", "The rule never decides anything.",
        """
        In an "any" another rule always fires before it, or in an "all" another one holds only when it \
        does. It does no harm, and so this is a warning; but whoever wrote it expects something of it. \
        Remove it, or the other one.
        """,
        example: .file(
            at: "stages[2].trigger", #"{ "any": [ { "max_age": "2h" }, { "max_age": "1h" } ] }"#))
}

/// What is odd about a rule although every part of it is right.
extension Trigger {
    /// Rules that never decide anything, since another one beside them always does.
    ///
    /// - Parameter field: where the rule stands below its stage, `trigger`.
    public func objections(field: String) -> [StageContract.Objection] {
        switch self {
        case .count, .maxAge, .idle, .every, .cron, .deadlineMargin, .manual: return []
        case .any(let triggers):
            return objections(among: triggers, field: field) { later, other in
                // `other` holds whenever `later` does, and so fires first.
                later.implies(other) ? "never fires first: \(other.json) always does" : nil
            }
        case .all(let triggers):
            return objections(among: triggers, field: field) { later, other in
                other.implies(later) ? "adds nothing: \(other.json) holds only when it does" : nil
            }
        }
    }

    private func objections(
        among triggers: [Trigger], field: String, _ objection: (Trigger, Trigger) -> String?
    ) -> [StageContract.Objection] {
        triggers.enumerated().flatMap { index, trigger in
            let place = "\(field).\(name)[\(index)]"
            let found = triggers.enumerated().compactMap { other, rival -> String? in
                if other == index { return nil }
                // Of two that say the same the first one stays.
                if other > index, trigger.implies(rival), rival.implies(trigger) { return nil }
                return objection(trigger, rival)
            }.first
            guard let found else { return trigger.objections(field: place) }
            return [
                .init(
                    field: place, code: .idleRule, "\(trigger.json) \(found)",
                    hint: "remove one of the two", isWarning: true)
            ]
        }
    }

    /// Whether `other` holds whenever this does, whatever waits.
    func implies(_ other: Trigger) -> Bool {
        switch (self, other) {
        case (.any(let triggers), _): return triggers.allSatisfy { $0.implies(other) }
        case (_, .all(let triggers)): return triggers.allSatisfy { implies($0) }
        case (_, .any(let triggers)): return triggers.contains { implies($0) }
        case (.all(let triggers), _): return triggers.contains { $0.implies(other) }
        // Nothing holds while nothing waits.
        case (_, .count(let count)) where count <= 1: return true
        case (.count(let own), .count(let count)): return own >= count
        case (.maxAge(let own), .maxAge(let age)): return own >= age
        // What has been idle for so long is at least that old.
        case (.idle(let own), .idle(let time)), (.idle(let own), .maxAge(let time)):
            return own >= time
        // In so long a time there has been a tick.
        case (.maxAge(let time), .every(let period)), (.idle(let time), .every(let period)):
            return time >= period
        case (.maxAge(let time), .cron(let schedule)), (.idle(let time), .cron(let schedule)):
            return time >= schedule.longestGap
        case (.every(let own), .every(let period)):
            return own.wholeMicroseconds % max(1, period.wholeMicroseconds) == 0
        case (.cron(let own), .cron(let schedule)): return own == schedule
        case (.deadlineMargin(let own), .deadlineMargin(let margin)): return own <= margin
        case (.manual, .manual): return true
        default: return false
        }
    }
}

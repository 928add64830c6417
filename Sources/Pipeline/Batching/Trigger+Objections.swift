internal import ConfigurationFields
internal import Calendar
public import ConfigurationDiagnostics
public import PipelineCore

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

extension Diagnostic.Code {
    /// A rule waits for more cases than it seals.
    public static let countAboveBatch = Self(
        "count-above-batch", "The rule waits for more cases than it seals.",
        """
        A "count" above "max_batch" holds when so many cases wait, and then seals a batch of "max_batch" \
        only: the rest has waited for nothing, and stays. It works, and so this is a warning. Lower the \
        count, or raise "max_batch".
        """,
        example: .file(
            at: "stages[2].trigger", #"{ "any": [ { "count": 600 }, { "max_age": "1h" } ] }"#))

    /// A margin is as long as the time that cases have.
    public static let marginAboveSLA = Self(
        "margin-above-sla", "A deadline margin is as long as the time that cases have.",
        """
        A case without a deadline of its own has to be answered within "sla". A "deadline_margin" of that \
        or more makes it due in the moment it arrives: each arrival seals a batch, at most one in a \
        "min_interval", and batching saves nothing. It works, and so this is a warning. The margin has to \
        leave time for a run and a failed one; `penstock validate` adds that up.
        """,
        example: .file(at: "stages[2].trigger", #"{ "deadline_margin": "25h" }"#))

    /// A pause is longer than what a rule promises.
    public static let intervalAboveRule = Self(
        "interval-above-rule", "The pause between firings is longer than a rule's own time.",
        """
        "min_interval" holds back every firing but those of full batches and flushes. Where it is longer \
        than a rule's "max_age" or period, cases wait for it instead, and where it is longer than a \
        "deadline_margin", for longer than until their deadline. It works, and so this is a warning. \
        Shorten the interval, or let the rule say what really happens.
        """,
        example: .file(
            at: "stages[2]",
            """
            { "id": "batch", "type": "accumulate", "store": "store", "trigger": { "max_age": "10m" },
              "min_interval": "1h" }
            """))
}

extension BatchingRule {
    /// What is odd about the trigger beside the settings around it: it works otherwise than it reads.
    ///
    /// - Parameters:
    ///   - field: where the trigger stands below its stage, `trigger`.
    ///   - sla: how far away a case's deadline is when it arrives, if it names none.
    public func objections(field: String, sla: Duration) -> [StageContract.Objection] {
        objections(of: trigger, field: field, sla: sla)
    }

    private func objections(
        of trigger: Trigger, field: String, sla: Duration
    ) -> [StageContract.Objection] {
        func warning(
            _ code: Diagnostic.Code, _ message: String, _ hint: String
        ) -> [StageContract.Objection] {
            [.init(field: field, code: code, message, hint: hint, isWarning: true)]
        }
        func held(_ wait: Duration) -> [StageContract.Objection] {
            guard wait < minInterval else { return [] }
            return warning(
                .intervalAboveRule,
                "a case may wait \(minInterval.text) (\"min_interval\") for this rule, and not "
                    + wait.text, "shorten \"min_interval\", or write what really happens")
        }
        switch trigger {
        case .count(let count) where count > maxBatch:
            let rest = count - maxBatch
            return warning(
                .countAboveBatch,
                "waits for \(count) cases and seals \(maxBatch) of them (\"max_batch\"): \(rest) stay",
                "a count of \(maxBatch) seals as many, and waits for \(rest) cases less")
        case .deadlineMargin(let margin) where margin >= sla:
            let most = minInterval > .zero ? Int(Duration.hours(24) / minInterval) : nil
            return warning(
                .marginAboveSLA,
                "a case has \(sla.text) (\"sla\") and is due \(margin.text) before that: as it arrives",
                "each arrival is a batch of its own"
                    + (most.map {
                        ", up to \($0) runs a day (\"min_interval\" \(minInterval.text))"
                    }
                        ?? "; a shorter margin, or a \"min_interval\""))
        case .deadlineMargin(let margin) where margin < minInterval:
            let late = minInterval - margin
            return warning(
                .intervalAboveRule,
                "a case that is due \(margin.text) before its deadline may be held back "
                    + "\(minInterval.text) (\"min_interval\"): until \(late.text) after it",
                "shorten \"min_interval\" below the margin")
        case .maxAge(let age): return held(age)
        case .every(let period): return held(period)
        case .cron(let schedule): return held(schedule.longestGap)
        case .any(let triggers):
            return triggers.enumerated().flatMap { index, trigger in
                objections(of: trigger, field: "\(field).any[\(index)]", sla: sla)
            }
        // `all` drains, and `idle` and `manual` promise no time.
        case .count, .deadlineMargin, .idle, .manual, .all: return []
        }
    }
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

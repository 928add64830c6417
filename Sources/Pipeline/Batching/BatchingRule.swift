internal import Calendar
public import PipelineCore

/// When batches are sealed, and how large they are.
public struct BatchingRule: Sendable, Hashable {
    public var trigger: Trigger
    /// Most cases in a batch.
    public var maxBatch: Int
    /// Least time between two firings, except for firings by count and flushes.
    public var minInterval: Duration

    public init(trigger: Trigger, maxBatch: Int, minInterval: Duration) {
        self.trigger = trigger
        self.maxBatch = maxBatch
        self.minInterval = minInterval
    }

    /// How far waiting cases need to be counted: more makes no difference to the rule.
    public var countBound: Int { max(maxBatch, trigger.largestCount) }

    /// How many cases a batch has that is sealed for their number alone, the smallest such number;
    /// the most that it can have where no number decides.
    public var fullBatch: Int {
        let counts = trigger.alternatives.compactMap { trigger in
            if case .count(let count) = trigger { count } else { nil as Int? }
        }
        return min(maxBatch, counts.min() ?? maxBatch)
    }

    /// How many cases are sealed for their number alone; `nil` where no number is.
    public var sealingCount: Int? {
        let hasCount = trigger.alternatives.contains { trigger in
            if case .count = trigger { true } else { false }
        }
        return hasCount ? fullBatch : nil
    }

    /// What becomes of the open batch if nothing more arrives.
    ///
    /// - Parameters:
    ///   - draining: the trigger whose batches are being sealed just now.
    ///   - clock: the store's.
    public func expected(
        _ open: OpenBatch, draining: String?, clock: Timestamp
    ) -> ExpectedSealing {
        var expected = ExpectedSealing(
            at: clock, closedBy: draining, waiting: open.count, fullAt: sealingCount, clock: clock)
        if draining != nil { return expected }
        if case .wait(let instant) = decide(open, now: clock) { expected.at = instant }
        if let instant = expected.at, case .fire(let firing) = decide(open, now: instant) {
            expected.closedBy = firing.closedBy
        }
        return expected
    }

    /// Whether the rule asks when the newest case arrived.
    public var needsNewest: Bool { trigger.needsNewest }

    /// Decides whether the open batch is sealed now. Pure: equal arguments, equal answers.
    ///
    /// - Parameter now: the store's clock.
    public func decide(_ open: OpenBatch, now: Timestamp) -> SealingDecision {
        guard open.count > 0 else { return .wait(until: nil) }
        let earliest = open.lastFired?.advanced(by: minInterval)
        let heldUntil = earliest.flatMap { $0 > now ? $0 : nil }
        switch trigger.evaluate(open, now: now, heldUntil: heldUntil) {
        case .holds(let reason, .full(let count)):
            return .fire(.full(closedBy: reason, size: min(count, maxBatch)))
        case .holds(let reason, .flush), .holds(let reason, .drain):
            return .fire(.drain(closedBy: reason))
        case .holdsFrom(let instant):
            return .wait(until: instant)
        }
    }
}

/// Whether a trigger holds, and if not, from when on it will although nothing more arrives (`nil`:
/// never).
enum TriggerState: Sendable, Hashable {
    /// What a trigger that holds on its own asks for.
    enum Extent: Sendable, Hashable {
        /// As many cases make a batch: nothing but their number was decisive.
        case full(Int)
        /// All that waits, and at once: somebody asked.
        case flush
        /// All that waits.
        case drain
    }
    case holds(reason: String, Extent)
    case holdsFrom(Timestamp?)
}

extension Trigger {
    /// - Parameter heldUntil: no drain before that (`min_interval`); in the future.
    func evaluate(_ open: OpenBatch, now: Timestamp, heldUntil: Timestamp?) -> TriggerState {
        switch self {
        case .count(let wanted):
            return open.count >= wanted
                ? .holds(reason: name, .full(wanted)) : .holdsFrom(nil)
        case .manual:
            return open.flushRequested == nil ? .holdsFrom(nil) : .holds(reason: name, .flush)
        case .any(let triggers):
            return Self.any(triggers.map { $0.evaluate(open, now: now, heldUntil: heldUntil) })
        case .all(let triggers):
            // What is held back is the whole, not its parts.
            let states = triggers.map { $0.evaluate(open, now: now, heldUntil: nil) }
            return Self.all(states).held(until: heldUntil)
        case .maxAge, .idle, .every, .cron, .deadlineMargin:
            guard let due = due(open) else { return .holdsFrom(nil) }
            let state: TriggerState =
                due <= now ? .holds(reason: name, .drain) : .holdsFrom(due)
            return state.held(until: heldUntil)
        }
    }

    /// The instant from which on a trigger of time holds.
    private func due(_ open: OpenBatch) -> Timestamp? {
        switch self {
        case .maxAge(let age): return open.oldest?.advanced(by: age)
        case .idle(let pause):
            let last = [open.newest, open.lastFired].compactMap(\.self).max()
            return last?.advanced(by: pause)
        case .every, .cron: return open.oldest.flatMap(tick(after:))
        case .deadlineMargin(let margin):
            return open.earliestDeadline?.advanced(by: .zero - margin)
        case .count, .manual, .any, .all: return nil
        }
    }

    /// Whether it holds from times on that nothing but the calendar decides.
    var isTick: Bool {
        switch self {
        case .every, .cron: true
        case .count, .maxAge, .idle, .deadlineMargin, .manual, .any, .all: false
        }
    }

    /// The first tick after an instant, of a rule that has ticks.
    func tick(after instant: Timestamp) -> Timestamp? {
        switch self {
        case .every(let period): instant.nextMultiple(of: period)
        case .cron(let schedule): schedule.next(after: instant)
        case .count, .maxAge, .idle, .deadlineMargin, .manual, .any, .all: nil
        }
    }

    /// The first that holds names the reason; else the earliest that will.
    private static func any(_ states: [TriggerState]) -> TriggerState {
        var earliest: Timestamp?
        for state in states {
            switch state {
            case .holds: return state
            case .holdsFrom(let instant?): earliest = min(earliest ?? instant, instant)
            case .holdsFrom(nil): break
            }
        }
        return .holdsFrom(earliest)
    }

    /// All names joined; else the latest that will hold, unless one needs more to arrive.
    private static func all(_ states: [TriggerState]) -> TriggerState {
        var latest: Timestamp?
        var reasons: [String] = []
        for state in states {
            switch state {
            case .holds(let reason, _): reasons.append(reason)
            case .holdsFrom(let instant?): latest = max(latest ?? instant, instant)
            case .holdsFrom(nil): return .holdsFrom(nil)
            }
        }
        if let latest { return .holdsFrom(latest) }
        return reasons.isEmpty
            ? .holdsFrom(nil) : .holds(reason: reasons.joined(separator: "+"), .drain)
    }

    /// The largest `count` anywhere in the rule; 1 without one.
    var largestCount: Int {
        if case .count(let count) = self { return count }
        return parts.map(\.largestCount).max() ?? 1
    }

    /// Whether `idle` is anywhere in the rule.
    var needsNewest: Bool {
        if case .idle = self { return true }
        return parts.contains(where: \.needsNewest)
    }
}

extension TriggerState {
    /// A drain that has to wait.
    fileprivate func held(until instant: Timestamp?) -> TriggerState {
        guard let instant else { return self }
        switch self {
        case .holds: return .holdsFrom(instant)
        case .holdsFrom(let due): return .holdsFrom(due.map { max($0, instant) })
        }
    }
}

extension Timestamp {
    /// The next whole multiple of a period since 1970, later than this instant.
    fileprivate func nextMultiple(of period: Duration) -> Timestamp {
        let length = max(1, period.wholeMicroseconds)
        let since = microseconds.flooredDivision(by: length).remainder
        return advanced(by: .microseconds(length - since))
    }
}

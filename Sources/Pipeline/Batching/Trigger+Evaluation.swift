internal import PipelineCore

/// Whether a trigger holds, and if not, from when on it will although nothing more arrives (`nil`: never).
enum TriggerState: Sendable, Hashable {
    /// - Parameter count: how many cases make a batch, if nothing but their number was decisive.
    case holds(reason: String, count: Int? = nil)
    case holdsFrom(Timestamp?)
}

extension Trigger {
    func evaluate(_ open: OpenBatch, now: Timestamp) -> TriggerState {
        switch self {
        case .count(let wanted):
            return open.count >= wanted ? .holds(reason: name, count: wanted) : .holdsFrom(nil)
        case .maxAge(let age):
            return due(open.oldest?.advanced(by: age), now: now)
        case .deadlineMargin(let margin):
            return due(open.earliestDeadline?.advanced(by: .zero - margin), now: now)
        case .manual:
            return open.flushRequested == nil ? .holdsFrom(nil) : .holds(reason: name)
        case .any(let triggers):
            return any(triggers.map { $0.evaluate(open, now: now) })
        case .all(let triggers):
            return all(triggers.map { $0.evaluate(open, now: now) })
        }
    }

    private func due(_ instant: Timestamp?, now: Timestamp) -> TriggerState {
        guard let instant else { return .holdsFrom(nil) }
        return instant <= now ? .holds(reason: name) : .holdsFrom(instant)
    }

    /// The first that holds names the reason; else the earliest that will.
    private func any(_ states: [TriggerState]) -> TriggerState {
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
    private func all(_ states: [TriggerState]) -> TriggerState {
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
        return reasons.isEmpty ? .holdsFrom(nil) : .holds(reason: reasons.joined(separator: "+"))
    }

    /// The largest `count` anywhere in the rule; 1 without one.
    var largestCount: Int {
        switch self {
        case .count(let count): count
        case .maxAge, .deadlineMargin, .manual: 1
        case .any(let triggers), .all(let triggers): triggers.map(\.largestCount).max() ?? 1
        }
    }
}

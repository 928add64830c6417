internal import ConfigurationDiagnostics
internal import Calendar
public import DryRunReport
public import LocatedJSON
internal import PipelineCore

extension DryRunReport {
    /// The report as a value: the checklist and the diagnostics, then what the simulation showed.
    ///
    /// `checks` holds `{"step", "subject", "status", "detail", "hint", "unreachable"}`: a subject
    /// is empty for a step as a whole; a hint is left out where there is none; `unreachable` is
    /// `true`, or left out. With one other file there is a `comparison`, with several a list,
    /// `comparisons`; with none the `simulation`.
    ///
    /// - Parameter exitCode: how the command ends, from 0 to 255.
    public func json(exitCode: Int) -> JSON {
        var members: [(String, JSON)] = [
            ("file", .string(file)),
            ("exit_code", .number(exitCode)),
            ("checks", .array(checks.map(\.json))),
            ("diagnostics", .array(diagnostics.list.map(\.json))),
        ]
        if let pairs = comparisons?.pairs {
            members.append(
                pairs.count == 1
                    ? ("comparison", pairs[0].json)
                    : ("comparisons", .array(pairs.map(\.json))))
        } else if let simulation {
            members.append(("simulation", simulation.json))
        }
        return .object(members)
    }
}

extension DryRunCheck {
    fileprivate var json: JSON {
        var members: [(String, JSON)] = [
            ("step", .string(step.rawValue)), ("subject", .string(subject)),
            ("status", .string(status.rawValue)), ("detail", .string(detail)),
        ]
        if let hint { members.append(("hint", .string(hint))) }
        if isUnreachable { members.append(("unreachable", true)) }
        return .object(members)
    }
}

extension Comparison {
    /// Both reports with the verdict, and their figures side by side as people read them.
    public var json: JSON {
        [
            "verdict": .string(verdict),
            "figures": .array(
                rows.map { row in
                    [
                        "name": .string(row.name.trimmed), "base": .string(row.base),
                        "other": .string(row.other), "difference": .string(row.difference),
                    ]
                }),
            "base": base.json, "other": other.json,
        ]
    }
}

extension String {
    fileprivate var trimmed: String { String(drop { $0 == " " }) }
}

extension SimulationReport {
    /// The report as a value: durations in seconds, instants in seconds since the trace's start.
    ///
    /// Every batch is listed, cases are counted; `took_seconds` alone differs between two runs.
    public var json: JSON {
        let verdict = verdict
        var members: [(String, JSON)] = [
            ("pipeline", .string(pipeline)), ("file", .string(file)),
            ("ok", .bool(verdict.isGood)), ("verdict", .string(verdict.sentence)),
            ("assumptions", .array(assumptions.map { .string($0) })),
            ("start", .string(CivilTime(start).rfc3339)),
            ("trace_seconds", .seconds(traceLength)), ("end_seconds", .seconds(end)),
            ("took_seconds", .seconds(took)), ("sla_seconds", .seconds(sla)),
            ("messages", .number(arrivals.count)), ("cases", .number(cases.count)),
            ("answered", .number(waits.count)), ("late", .number(late)),
            ("after_sla", .number(afterSLA)),
            ("unanswered", .number(unanswered)), ("deduplicated", .number(deduplicated)),
            ("dead_lettered", .number(deadLettered)), ("waits", waitsJSON),
        ]
        if let generation { members.append(("generation", generation.json)) }
        let triggers = batchesByTrigger.map { ($0.trigger, JSON.number($0.batches)) }
        members += [
            ("closed_by", .object(triggers)),
            ("batches", .array(batches.map { $0.json(start: start) })),
            ("stages", .array(stages.map(\.json))),
            ("dead_letters", .array(deadLetters.map(\.json))),
            ("timeline", Timeline(self, on: Timeline.axis(for: [self], atMost: 96)).json),
        ]
        return .object(members)
    }

    private var waitsJSON: JSON {
        let quantiles: [(String, Double)] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1)]
        let bins = WaitHistogram(waits, sla: sla, atMost: 24).bins
        return .object(
            quantiles.map { name, share in
                ("\(name)_seconds", wait(quantile: share).map { .seconds($0) } ?? .null)
            } + [("histogram", .array(bins.map(\.json)))])
    }
}

extension JSON {
    /// A duration in seconds, exact to the microsecond.
    fileprivate static func seconds(_ duration: Duration) -> JSON {
        let (seconds, rest) = abs(duration.wholeMicroseconds).quotientAndRemainder(
            dividingBy: 1_000_000)
        var fraction = String(rest + 1_000_000).dropFirst()
        while fraction.hasSuffix("0") { fraction.removeLast() }
        let sign = duration < .zero ? "-" : ""
        return JSON(.number("\(sign)\(seconds)" + (fraction.isEmpty ? "" : ".\(fraction)")))
    }

    /// A share, to four digits.
    fileprivate static func share(_ share: Double) -> JSON {
        JSON(.number("\((share * 10_000).rounded() / 10_000)"))
    }
}

extension WaitHistogram.Bin {
    fileprivate var json: JSON {
        [
            "from_seconds": .seconds(range.lowerBound), "to_seconds": .seconds(range.upperBound),
            "cases": .number(cases), "late": .bool(isLate),
        ]
    }
}

extension GenerationCost {
    var json: JSON {
        [
            "runs": .number(runs), "busy_seconds": .seconds(busy),
            "single_seconds": .seconds(single), "saved": .share(saved),
        ]
    }
}

extension BatchFigures {
    fileprivate func json(start: Timestamp) -> JSON {
        var members: [(String, JSON)] = [
            ("number", JSON(.number(String(number)))), ("closed_by", .string(closedBy)),
            ("sealed_at_seconds", .seconds(sealedAt)),
            ("sealed_at", .string(CivilTime(start.advanced(by: sealedAt)).rfc3339)),
            ("generation_begins_seconds", .seconds(generation.lowerBound)),
            ("generation_ends_seconds", .seconds(generation.upperBound)),
            ("cases", .number(cases.count)),
        ]
        if let fill { members.append(("fill", .share(fill))) }
        if let longestWait { members.append(("longest_wait_seconds", .seconds(longestWait))) }
        return .object(members)
    }
}

extension StageCount {
    var json: JSON {
        [
            "id": .string(id), "type": .string(type), "received": .number(received),
            "passed": .number(passed),
        ]
    }
}

extension DeadLetterCount {
    var json: JSON {
        [
            "stage": .string(stage), "code": .string(code), "count": .number(count),
            "example": .string(example),
        ]
    }
}

extension Timeline {
    var json: JSON {
        func list(_ values: [Int]) -> JSON { .array(values.map { .number($0) }) }
        return [
            "slot_seconds": .seconds(axis.slot), "arrivals": list(arrivals),
            "open_cases": list(open),
            "batches": .object(firings.map { ($0.trigger, list($0.batches)) }),
        ]
    }
}

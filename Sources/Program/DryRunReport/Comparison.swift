internal import PipelineCore

/// Two rule sets on the same trace: what the second buys and costs beside the first.
public struct Comparison: Sendable {
    /// The file that was asked about.
    public let base: SimulationReport
    /// The other, which the verdict is about.
    public let other: SimulationReport

    /// What the two are called.
    public let names: (base: String, other: String)

    public init(_ base: SimulationReport, _ other: SimulationReport) {
        let names = Comparisons.names(of: [base, other])
        self.init(base, other, names: (names[0], names[1]))
    }

    init(
        _ base: SimulationReport, _ other: SimulationReport, names: (base: String, other: String)
    ) {
        self.base = base
        self.other = other
        self.names = names
    }
}

/// Other rule sets beside one, each on the same trace.
public struct Comparisons: Sendable {
    /// Each of the others beside the first, in their order.
    public let pairs: [Comparison]
    /// Short names of all, the first one's first.
    public let names: [String]

    public init(_ base: SimulationReport, _ others: [SimulationReport]) {
        let names = Self.names(of: [base] + others)
        self.names = names
        pairs = zip(others, names.dropFirst()).map { Comparison(base, $0, names: (names[0], $1)) }
    }

    /// All rule sets, the first first.
    public var reports: [SimulationReport] { pairs.prefix(1).map(\.base) + pairs.map(\.other) }

    /// Their files, or the whole paths where two files have one name.
    fileprivate static func names(of reports: [SimulationReport]) -> [String] {
        let names = reports.map { $0.file.split(separator: "/").last.map(String.init) ?? $0.file }
        return Set(names).count == names.count ? names : reports.map(\.file)
    }
}

/// What a simulation comes to.
public struct Verdict: Sendable, Hashable {
    /// Whether every case was answered in time.
    public var isGood: Bool
    /// One sentence without a full stop.
    public var sentence: String

    public init(isGood: Bool, sentence: String) {
        self.isGood = isGood
        self.sentence = sentence
    }
}

extension Verdict: CustomStringConvertible {
    /// `ok: every case answered within 24 h (worst 12 h 4 min); …`.
    public var description: String { (isGood ? "ok: " : "FAIL: ") + sentence }
}

extension SimulationReport {
    /// Whether every case was answered in time, and what batching saved.
    public var verdict: Verdict {
        if cases.isEmpty { return Verdict(isGood: true, sentence: withoutCases) }
        guard expectsAnswers else {
            return Verdict(
                isGood: true,
                sentence: "\(cases.count.counting("case", "cases")) went through"
                    + (hasBarrier ? " in \(batches.count.counting("batch", "batches"))" : "")
                    + "; the chain gives no answers")
        }
        let parts = [faults ?? success, economy].compactMap(\.self)
        return Verdict(isGood: faults == nil, sentence: parts.joined(separator: "; "))
    }

    private var withoutCases: String {
        arrivals.isEmpty
            ? "the trace is empty, so that nothing was to answer"
            : "\(arrivals.count.counting("message", "messages")) without a case: nothing to answer"
    }

    private var success: String {
        "every case answered within \(sla.spoken)"
            + (waits.last.map { " (worst \($0.spoken))" } ?? "")
    }

    private var faults: String? {
        var faults: [String] = []
        if unanswered > 0 {
            faults.append(
                "\(unanswered.grouped) of \(cases.count.counting("case", "cases")) not answered "
                    + "when the simulation ended after \(max(end, traceLength).spoken)")
        }
        if late > 0 || afterSLA > 0 {
            faults.append(
                "\(late.grouped) of \(cases.count.counting("case", "cases")) answered after their "
                    + "deadline, \(afterSLA == 0 ? "none" : afterSLA.grouped) after the SLA of "
                    + sla.spoken
                    + (afterSLA == 0
                        ? "" : " (up to \(((waits.last ?? sla) - sla).spoken) after it)"))
        }
        return faults.isEmpty ? nil : faults.joined(separator: " and ")
    }

    /// What batching saves; `nil` without a generator or answers.
    private var economy: String? {
        guard let generation, generation.runs > 0 else { return nil }
        let single = cases.count
        if generation.runs >= single { return "no generation run saved" }
        let runs =
            generation.runs == batches.count
            ? batches.count.counting("batch", "batches") : generation.runs.counting("run", "runs")
        return "\(runs) instead of \(single.counting("run", "runs")): \(generation.savingText)"
    }
}

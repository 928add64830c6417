public import LocatedJSON
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

    /// One sentence without a full stop.
    public var verdict: String {
        let clauses = [faults, speed, price].compactMap(\.self)
        guard let first = clauses.first else { return "\(names.other) does the same" }
        let rest = clauses.dropFirst()
        return "\(names.other) \(first)" + rest.map { " and \($0)" }.joined()
    }

    private var faults: String? {
        let (before, after) = (base.late + base.unanswered, other.late + other.unanswered)
        guard base.expectsAnswers, other.expectsAnswers, before != after else { return nil }
        func count(_ cases: Int) -> String {
            cases == 0 ? "none" : cases.counting("case", "cases")
        }
        return "leaves \(count(after)) late or unanswered instead of \(count(before))"
    }

    private var speed: String? {
        guard let before = base.wait(quantile: 0.99), let after = other.wait(quantile: 0.99) else {
            return nil
        }
        let gained = before - after
        // Less than a hundredth of the wait is no news.
        if abs(gained / max(before, after, .milliseconds(1))) < 0.01 {
            return "answers as soon at p99"
        }
        return gained > .zero
            ? "answers \(gained.spoken) sooner at p99"
            : "answers \((.zero - gained).spoken) later at p99"
    }

    private var price: String? {
        guard let before = base.generation?.runs, let after = other.generation?.runs else {
            return nil
        }
        let numbers = "(\(after.grouped) instead of \(before.grouped))"
        if before == after { return "costs as many generation runs (\(after.grouped))" }
        if before == 0 || after == 0 { return "costs \(after.counting("run", "runs")) \(numbers)" }
        let ratio = Double(after) / Double(before)
        return after > before
            ? "costs \(ratio.times) the generation runs \(numbers)"
            : "saves \((1 - ratio).percent) of the generation runs \(numbers)"
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
    var reports: [SimulationReport] { pairs.prefix(1).map(\.base) + pairs.map(\.other) }

    /// Their files, or the whole paths where two files have one name.
    static func names(of reports: [SimulationReport]) -> [String] {
        let names = reports.map { $0.file.split(separator: "/").last.map(String.init) ?? $0.file }
        return Set(names).count == names.count ? names : reports.map(\.file)
    }

    /// Those of all, then those that only some rest on, which bear their names.
    var assumptions: [String] {
        let reports = reports
        guard let base = reports.first else { return [] }
        let shared = base.assumptions.filter { assumption in
            reports.allSatisfy { $0.assumptions.contains(assumption) }
        }
        return shared
            + zip(names, reports).flatMap { name, report in
                report.assumptions.filter { !shared.contains($0) }.map { "\(name): \($0)" }
            }
    }
}

extension Comparison {
    /// One figure of both.
    struct Row: Sendable, Equatable {
        var name: String
        var base: String
        var other: String
        /// How the other differs; empty if it does not.
        var difference: String
        /// Whether the other is better, where that can be said.
        var isBetter: Bool?
    }

    var rows: [Row] { rows(triggers: triggers) }

    /// - Parameter triggers: those that have a row, whether they have sealed anything or not.
    func rows(triggers: [String]) -> [Row] {
        var rows = [
            counts("cases answered", \.waits.count, moreIsBetter: true),
            counts("after their deadline", \.late, moreIsBetter: false),
            counts("after the SLA", \.afterSLA, moreIsBetter: false),
            counts("not answered", \.unanswered, moreIsBetter: false),
        ]
        for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1)] {
            rows.append(waits("wait \(name)", share))
        }
        rows.append(counts("batches", \.batches.count))
        for trigger in triggers {
            rows.append(
                counts("  by \(trigger)") { report in
                    report.batchesByTrigger.first { $0.trigger == trigger }?.batches ?? 0
                })
        }
        rows += [fill, costs("generation runs"), generation].compactMap(\.self)
        rows += [
            counts("repeats dropped", \.deduplicated),
            counts("dead letters", \.deadLettered, moreIsBetter: false),
        ]
        return rows
    }

    /// In the order of the first, then what only the other has.
    var triggers: [String] {
        let first = base.batchesByTrigger.map(\.trigger)
        return first + other.batchesByTrigger.map(\.trigger).filter { !first.contains($0) }
    }

    private func counts(
        _ name: String, moreIsBetter: Bool? = nil, _ figure: (SimulationReport) -> Int
    ) -> Row {
        let (before, after) = (figure(base), figure(other))
        return Row(
            name: name, base: before.grouped, other: after.grouped,
            difference: Self.difference(before, after),
            isBetter: before == after ? nil : moreIsBetter.map { $0 == (after > before) })
    }

    private func counts(
        _ name: String, _ figure: KeyPath<SimulationReport, Int>, moreIsBetter: Bool? = nil
    ) -> Row {
        counts(name, moreIsBetter: moreIsBetter) { $0[keyPath: figure] }
    }

    private func waits(_ name: String, _ share: Double) -> Row {
        let (before, after) = (base.wait(quantile: share), other.wait(quantile: share))
        var row = Row(
            name: name, base: before?.spoken ?? "none", other: after?.spoken ?? "none",
            difference: "")
        guard let before, let after, row.base != row.other else { return row }
        row.isBetter = after < before
        row.difference =
            after < before
            ? "\((before - after).spoken) sooner" : "\((after - before).spoken) later"
        return row
    }

    private var fill: Row? {
        guard base.meanFill != nil || other.meanFill != nil else { return nil }
        return Row(
            name: "average fullness", base: base.meanFill?.percent ?? "none",
            other: other.meanFill?.percent ?? "none", difference: "")
    }

    private func costs(_ name: String) -> Row? {
        guard base.generation != nil || other.generation != nil else { return nil }
        return counts(name, moreIsBetter: false) { $0.generation?.runs ?? 0 }
    }

    private var generation: Row? {
        guard let before = base.generation?.busy, let after = other.generation?.busy else {
            return nil
        }
        var row = Row(
            name: "generation time", base: before.spoken, other: after.spoken, difference: "")
        guard row.base != row.other else { return row }
        row.isBetter = after < before
        row.difference =
            before > .zero && after > .zero
            ? (after / before).times
            : after < before ? "\((before - after).spoken) less" : "\((after - before).spoken) more"
        return row
    }

    /// `+76 (3.1 ×)`.
    private static func difference(_ before: Int, _ after: Int) -> String {
        if before == after { return "" }
        let sum = after > before ? "+\((after - before).grouped)" : (after - before).grouped
        return before > 0 && after > 0 ? "\(sum) (\((Double(after) / Double(before)).times))" : sum
    }
}

extension Comparisons {
    /// One figure of all.
    struct Row: Sendable, Equatable {
        var name: String
        var base: String
        /// Of the others, in their order.
        var others: [Comparison.Row]
    }

    var rows: [Row] {
        var triggers: [String] = []
        for pair in pairs { triggers += pair.triggers.filter { !triggers.contains($0) } }
        let columns = pairs.map { $0.rows(triggers: triggers) }
        var names: [String] = []
        for row in columns.joined() where !names.contains(row.name) { names.append(row.name) }
        return names.map { name in
            let figures = columns.map { column in column.first { $0.name == name } }
            let base = figures.lazy.compactMap(\.self).first?.base ?? ""
            return Row(
                name: name, base: base,
                others: figures.map {
                    $0 ?? Comparison.Row(name: name, base: base, other: "none", difference: "")
                })
        }
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
